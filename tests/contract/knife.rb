# frozen_string_literal: true

# Runs knife as often as it is told, having loaded it once: to start knife costs 6 s of CPU, to fork
# a few ms. A line of JSON on stdin is one command, {"argv": [...], "cwd": "..."}; a line on stdout
# is how it ended, {"status": 0, "stdout": "...", "stderr": "..."}.
require 'json'
require 'tempfile'
require 'chef'
require 'chef/application/knife'
%w(diff download upload cookbook_show cookbook_download cookbook_upload role_show environment_show
   data_bag_show data_bag_from_file).each { |name| require "chef/knife/#{name}" }
ObjectSpace.each_object(Class).select { |type| type < Chef::Knife }.each(&:load_deps)

def run(told)
  Dir.chdir(told['cwd'])
  ARGV.replace(told['argv'])
  Chef::Application::Knife.new.run
end

output = $stdout.dup
$stdin.each_line do |line|
  files = [Tempfile.new, Tempfile.new]
  child = fork do
    $stdin.reopen(File::NULL)
    $stdout.reopen(files.first.path, 'w')
    $stderr.reopen(files[1].path, 'w')
    run(JSON.parse(line))
  end
  _, status = Process.wait2(child)
  said = files.map { |file| File.read(file.path, encoding: 'UTF-8').scrub }
  answer = { status: status.exitstatus || 255, stdout: said.first, stderr: said.last }
  output.puts(JSON.generate(answer))
  output.flush
end
