# Runs as root while the lab's box is built; chef-client then starts in half the time. At each start
# RubyGems resolves a hundred gems and Ruby compiles a thousand files; here both are done once.
# Installed only in the lab's box; see docs/deploy.md.
set -eu
umask 022
home=/usr/local/lib/chef-client start=/usr/local/sbin/chef-client
mkdir -p "$home"
ruby - "$home" <<'RECORD'
require 'bootsnap'
home = ARGV.shift
Gem.activate_bin_path('chef-bin', 'chef-client', '>= 0.a')
order = Gem.loaded_specs.values.map(&:loaded_from)
Bootsnap.setup(cache_dir: home, development_mode: false, compile_cache_yaml: false)
require 'chef'
require 'chef/application/client'
libraries = Gem.loaded_specs.values_at('chef', 'chef-utils', 'chef-config', 'ohai').map(&:full_gem_path)
Dir["{#{libraries.join(',')}}/lib/**/*.rb"].each { |path| Bootsnap::CompileCache::ISeq.precompile(path) }
found = [RUBY_DESCRIPTION, *Gem::Specification.dirs.flat_map { |dir| Dir["#{dir}/*.gemspec"].sort }]
File.write("#{home}/order", order.join("\n"))
File.write("#{home}/found", found.join("\n"))
RECORD
cat >"$start" <<'START'
#!/usr/bin/ruby
# Written by `stackcook box build`: runs chef-client with the gems recorded in
# /usr/local/lib/chef-client. If a gem was installed or removed since, it runs the next chef-client on
# the PATH instead, which RubyGems installed. To disable it, remove this file.
home = '/usr/local/lib/chef-client'
begin
  found = [RUBY_DESCRIPTION, *Gem::Specification.dirs.flat_map { |dir| Dir["#{dir}/*.gemspec"].sort }]
  same = File.read("#{home}/found") == found.join("\n")
  order = File.readlines("#{home}/order", chomp: true)
rescue SystemCallError
  same = false
end
unless same && !ARGV.first.to_s.start_with?('_')
  own = File.realpath(__FILE__)
  others = ENV.fetch('PATH', '').split(':').push('/usr/local/bin', '/usr/bin').map { |path| "#{path}/chef-client" }
  other = others.find { |path| File.executable?(path) && File.realpath(path) != own }
  abort 'chef-client: no longer installed; install it, or run `stackcook box build --again`' unless other
  exec(other, *ARGV)
end
order.each { |path| Gem::Specification.load(path).activate }
require 'bootsnap'
Bootsnap.setup(cache_dir: home, development_mode: false, compile_cache_yaml: false, readonly: true)
load Gem.loaded_specs['chef-bin'].bin_file('chef-client')
START
chmod 0755 "$start"
