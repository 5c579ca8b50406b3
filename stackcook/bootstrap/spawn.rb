# Chef starts a program by a fork of all that it has loaded, which costs more than most of the thirty
# that Ohai asks. For Ohai alone (lean.rb says when) the C library does it, and gives the child the
# same: its own session, three pipes, the environment. What needs more (another user, directory …), or
# fails, and all that recipes start, goes Chef's own way.
begin
  require 'mixlib/shellout'
  needed = %i(fork_subprocess initialize_ipc stdin_pipe stdout_pipe stderr_pipe process_status_pipe command
              environment user group umask cwd cgroup)
  theirs = Mixlib::ShellOut.instance_methods + Mixlib::ShellOut.private_instance_methods
  raise LoadError unless RUBY_PLATFORM.include?('linux') && defined?(FFI::Library) && (needed - theirs).empty?

  libc = Module.new do
    extend FFI::Library
    ffi_lib FFI::Library::LIBC
    attach_function :posix_spawn, %i(pointer string pointer pointer pointer pointer), :int
    attach_function :posix_spawnattr_init, %i(pointer), :int
    attach_function :posix_spawnattr_setflags, %i(pointer short), :int
    attach_function :posix_spawn_file_actions_init, %i(pointer), :int
    attach_function :posix_spawn_file_actions_adddup2, %i(pointer int int), :int
    attach_function :posix_spawn_file_actions_addclosefrom_np, %i(pointer int), :int # since glibc 2.34
    attach_function :posix_spawn_file_actions_destroy, %i(pointer), :int
  end
  strings = lambda do |words|
    kept = words.map { |word| FFI::MemoryPointer.from_string(word) }
    [FFI::MemoryPointer.new(:pointer, kept.size + 1).write_array_of_pointer([*kept, nil]), kept]
  end
  # where Ruby's own exec asks a shell
  for_shell = /[*?{}\[\]<>()~&|\\$;'`"\n#]|\A\s*\S*=/
  new_session = FFI::MemoryPointer.new(:char, 1024)
  libc.posix_spawnattr_init(new_session)
  libc.posix_spawnattr_setflags(new_session, 0x80)

  Mixlib::ShellOut.prepend(Module.new do
    define_method(:fork_subprocess) do
      return super() unless Thread.current[:asked_by_ohai]

      words = Array(command)
      return super() if user || group || umask || cwd || cgroup || !words.all?(String)

      words = words.map(&:b) # of whatever encoding, or none
      env = ENV.to_h.merge(environment).compact
      if words.one? && words.first.match?(for_shell)
        path = '/bin/sh'
        words = ['sh', '-c', *words]
      else
        words = words.first.split if words.one?
        places = words.first.to_s.include?('/') ? [''] : env['PATH'].to_s.split(':').map { |place| "#{place}/" }
        path = places.map { |place| "#{place}#{words.first}" }.find { |file| File.file?(file) && File.executable?(file) }
      end
      return super() unless path

      initialize_ipc
      pid = FFI::MemoryPointer.new(:int)
      actions = FFI::MemoryPointer.new(:char, 1024)
      libc.posix_spawn_file_actions_init(actions)
      [stdin_pipe.first, stdout_pipe.last, stderr_pipe.last].each_with_index do |pipe, number|
        pipe.fcntl(Fcntl::F_SETFL, 0) # blocking, as Ruby's exec makes them
        libc.posix_spawn_file_actions_adddup2(actions, pipe.fileno, number)
      end
      libc.posix_spawn_file_actions_addclosefrom_np(actions, 3)
      argv = strings.call(words)
      vars = strings.call(env.map { |pair| pair.map(&:b).join('=') })
      failed = libc.posix_spawn(pid, path, actions, new_session, argv.first, vars.first)
      libc.posix_spawn_file_actions_destroy(actions)
      return pid.read_int if failed.zero?

      [stdin_pipe, stdout_pipe, stderr_pipe, process_status_pipe].flatten.each(&:close)
      super()
    end
  end)
rescue LoadError
  nil # another C library, or another Chef: as it always did
end
