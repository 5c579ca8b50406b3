# Written by stackcook, anew for each converge: the node's own settings, and a handler that prints
# what the run's resources took: seconds, 1 if it changed something, recipe, name.
from_file '/etc/chef/client.rb'
require 'chef/handler'

times = Class.new(Chef::Handler) do
  def self.name
    'stackcook'
  end

  def report
    records = action_collection.filtered_collection(max_nesting: 0, skipped: false, unprocessed: false)
    slowest = records.select(&:elapsed_time).sort_by { |record| -record.elapsed_time }.first(100)
    puts(slowest.map { |record| line(record) })
  end

  def line(record)
    resource = record.new_resource
    recipe = [resource.cookbook_name, resource.recipe_name].compact.join('::')
    name = resource.to_s.gsub(/[[:space:]]+/, ' ')[0, 200]
    changed = record.status == :updated ? 1 : 0
    format('stackcook-time %.3f %d %s %s', record.elapsed_time, changed, recipe.empty? ? '-' : recipe, name)
  end
end
report_handlers << times.new

# Chef writes each piece of a line by itself, which over SSH is a message each: ten a second will do.
Chef.event_handler do
  on :run_start do
    STDOUT.sync = false
    Thread.new { loop { sleep(0.1) && STDOUT.flush } }
  end
end
