# Runs spiceweasel for many manifests, each in a child of one process that has loaded it.
# stdin: [{"directory", "arguments"}]; stdout: as many of {"output", "errors", "status"}, in JSON.
require "json"
require "tempfile"
require "spiceweasel"
require "chef/knife"
require "berkshelf"

def run(directory, arguments)
  output, errors = Tempfile.new, Tempfile.new
  child = fork do
    $stdout.reopen(output)
    $stderr.reopen(errors)
    Dir.chdir(directory)
    ARGV.replace(arguments)
    Spiceweasel::CLI.new.run
  end
  _, status = Process.wait2(child)
  { output: File.read(output.path), errors: File.read(errors.path), status: status.exitstatus }
end

puts JSON.generate(JSON.parse($stdin.read).map { |job| run(job["directory"], job["arguments"]) })
