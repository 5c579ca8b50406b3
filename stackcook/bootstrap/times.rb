# Written by stackcook before each converge: the node's own settings, and a report handler that prints
# the slowest resources of the run: seconds, 1 if something was changed, recipe, name.
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
