# What a run of Chef 18 does for nothing, a third of an idle one's CPU, is left out. What recipes see
# stays the same; another Chef is left as it is.
chef18 = Chef::VERSION.start_with?('18.')

# Chef loads all of InSpec to print its name, profiles or not: here its name is known, and the rest
# comes when Chef asks for more. Recipes may count on what InSpec loads of Ruby's own libraries.
begin
  if chef18 && defined?(Chef::Compliance::Runner) && RUBY_VERSION >= '3.1'
    require 'open-uri'
    { CGI: 'cgi', CSV: 'csv', ERB: 'erb' }.each { |name, path| Object.autoload(name, path) }
    names = Module.new
    load('inspec/dist.rb', names)
    names::Inspec.define_singleton_method(:const_missing) { |name| ::Inspec.const_get(name) }
    [Chef::Compliance::Runner, Chef::Formatters::Doc].each { |user| user.const_set(:Inspec, names::Inspec) }
  end
rescue LoadError, NameError
  nil # another InSpec than we know: Chef does as it always did
end

# Ohai starts a program to find out that it isn't there, and a Ruby to ask what ours knows as well.
if chef18 && defined?(Ohai::DSL::Plugin) && Ohai::DSL::Plugin.method_defined?(:default_paths)
  optional = %w(cabal cc dmidecode elixir erl gcc ghc ghci go groovy java lua mono node php python rustc
                scala stack xenstore-read zpool)
  about_ruby = /\Aruby -e "require 'rbconfig'; require 'rubygems'; puts (%Q\([^"`$\\]*\))"\z/
  answer = Struct.new(:stdout, :stderr, :exitstatus)
  sparing = Module.new do
    define_method(:shell_out) do |command, **options|
      line = command.to_s
      program = line[/\A[\w-]+/]
      path = default_paths.split(':').map { |place| "#{place}/#{program}" }.find { |file| File.exist?(file) }
      raise Ohai::Exceptions::Exec, "#{program} isn't there" if !path && optional.include?(program)

      about = path && line[about_ruby, 1]
      if about && File.realpath(path) == File.realpath(RbConfig.ruby)
        return answer.new("#{eval(about)}\n", '', 0) # rubocop:disable Security/Eval -- Ohai's own words
      end

      Thread.current[:asked_by_ohai] = true # for spawn.rb
      super(command, **options)
    ensure
      Thread.current[:asked_by_ohai] = false
    end
  end
  Ohai::DSL::Plugin.prepend(sparing)
end

# Settings of our own Ruby, which has read them; not of those that recipes start.
ENV.delete_if { |name, _| name.start_with?('RUBY_GC_') }
