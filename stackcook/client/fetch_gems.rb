# frozen_string_literal: true

# Downloads the locked gems that a directory lacks, by RubyGems' own means: its sources, its proxy.
#
#   ruby fetch_gems.rb DIRECTORY LOCK…
#
# A lock has a "NAME VERSION" a line. `gem fetch` would read the whole index for each.
require 'rubygems/remote_fetcher'
require 'tmpdir'

directory, *locks = ARGV
missing = locks.flat_map { |lock| File.readlines(lock, chomp: true) }
               .grep_v(/\A\s*(#|\z)/)
               .map { |line| Gem::Specification.new(*line.split) }
               .reject { |spec| File.exist?(File.join(directory, spec.file_name)) }
queue = Thread::Queue.new(missing).close
source = Gem.sources.first.uri.to_s

Dir.mktmpdir(nil, directory) do |new|
  Array.new(4) do
    Thread.new do
      Thread.current.report_on_exception = false
      while (spec = queue.pop)
        # Whole or not there: RubyGems writes a file as it comes.
        File.rename(Gem::RemoteFetcher.fetcher.download(spec, source, new), File.join(directory, spec.file_name))
      end
    end
  end.each(&:join)
rescue Gem::Exception, SystemCallError => e
  abort "#{source}: #{e.message}"
end
