# frozen_string_literal: true

# Gives a host its network interfaces. If something changes, the host switches to the new configuration once Chef's run is
# over, and goes back by itself after 60 s unless `/usr/local/sbin/openstack-host-network confirm` is run until then.
provides :openstack_host_network
unified_mode true

property :interfaces, Hash, default: {}, description: '{name => {kind => ethernet, bond, vlan or bridge, …}}, each after those that it is made of'

action :apply do
  change = OpenstackHostNetwork::Change.new(new_resource.interfaces, OpenstackHostNetwork::Host.new)
  next if change.empty?

  state = OpenstackHostNetwork::Change::STATE
  command = '/usr/local/sbin/openstack-host-network'
  directory state do
    mode '0700'
  end
  cookbook_file command do
    cookbook 'openstack-host-network'
    source 'openstack-host-network'
    mode '0755'
  end
  change.units(command).each do |name, text|
    systemd_unit name do
      content text
      action :create
    end
  end
  unless change.change?
    # an earlier change that was undone is not wanted any more
    file "#{state}/state" do
      content "none\n"
      only_if { change.undone? }
    end
    next
  end
  raise 'openstack_host_network: another change waits for its confirmation; converge again in two minutes, when it is confirmed or undone' if change.underway?

  converge_by "switch to other interfaces: #{change.names.join(', ')} (#{change.manager})" do
    directory "#{state}/new" do
      recursive true
      action :delete
    end
    change.staged.each do |path, text|
      directory ::File.dirname("#{state}/new/#{path}") do
        recursive true
      end
      file "#{state}/new/#{path}" do
        content text
        mode '0644' # of new files; systemd-networkd is not root
        sensitive true # /etc/network/interfaces may have the password of a wireless network
      end
    end
    file "#{state}/state" do
      content "staged\n"
    end
    service 'openstack-host-network' do
      action :start
    end
  end
end
