# Written by stackcook. chef-client runs this recipe after the run list: it sets up the timer that runs
# chef-client every `seconds`; if that is nil, it removes the timer, and itself.
if seconds
  chef_client_systemd_timer 'stackcook' do
    chef_binary_path '/bin/sh /etc/chef/stackcook-run.sh'
    daemon_options %w(--no-color)
    environment 'HOME' => ::Dir.home('root') # as in a converge over SSH
    interval "#{seconds}s"
    splay "#{random}s"
  end
else
  systemd_unit 'chef-client.timer' do
    action %i(stop disable) # which `remove` does not
  end

  chef_client_systemd_timer 'stackcook' do
    action :remove
  end

  %w(stackcook-run.sh stackcook-timer.rb).each do |name|
    file "/etc/chef/#{name}" do
      action :delete
    end
  end
end
