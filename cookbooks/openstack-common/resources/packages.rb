# frozen_string_literal: true

provides :openstack_packages
unified_mode true

description 'Installs packages without starting their services. The first resource with a missing package installs those of all such resources of the run in one apt transaction, because apt and dpkg triggers take longer than unpacking.'

property :packages, Array, default: lazy { [name] }, description: 'Names of Debian packages'

def after_created
  (node.run_state[:openstack_packages] ||= []).concat(packages)
end

action :install do
  if OpenstackCommon::Apt.policy_left_behind?
    converge_by("restore #{OpenstackCommon::Apt::POLICY} after an interrupted run") { OpenstackCommon::Apt.restore_policy }
  end
  next if OpenstackCommon::Apt.missing(new_resource.packages).empty?

  missing = OpenstackCommon::Apt.missing(node.run_state[:openstack_packages].uniq)
  converge_by("install #{missing.join(' ')}") do
    OpenstackCommon::Apt.without_starting_services { install(missing) }
  end
end

action_class do
  # Does not change how dpkg syncs files to disk. Only the lab's machines do not sync, for speed (box.sh).
  def install(missing)
    apt_update do
      action :update
    end

    # apt refuses to work after dpkg was killed
    execute 'dpkg --force-confold --configure --pending' do
      environment 'DEBIAN_FRONTEND' => 'noninteractive'
      timeout 1800
    end

    apt_package missing do
      options %w(--no-install-recommends -o DPkg::Lock::Timeout=300)
      environment 'NEEDRESTART_MODE' => 'l' # needrestart only lists what it would restart
      timeout 1800
    end
  end
end
