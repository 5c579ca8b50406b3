# frozen_string_literal: true

# Evaluates files of Chef's Ruby DSL: metadata.rb, roles, environments, config.rb. Files that use Chef's own Ruby
# need to be evaluated by a Ruby that has loaded Chef (`knife exec`); all others do not, which is much faster.
#
# Standard input: JSON [{"kind": "metadata", "path": "..."}, ...]. Standard output: "ready", then a line of JSON
# for each file: {"value": {...}, "lines": {...}} with its fields and their lines, {"syntax": "..."} with Ruby's message
# for a syntax error, or {"error": "...", "line": 3}; for an undefined name also with "unknown", the name, and
# "known", the names that exist; with "chef" if Chef's Ruby may define what is missing; with "file" and "column" if the
# fault is in another file that this one reads. Each line is flushed, so that a file that never ends does not lose earlier results.
# Each file is evaluated in an object of its own, as Chef does; what it prints goes to standard error.

require 'json'

# The parts that the DSLs share: values that are set when given and returned when not.
# `lines` has the line of each field, and that of each entry of a map as "field key".
class Dsl
  attr_reader :values, :lines

  def initialize(path)
    @path = path
    @values = {}
    @lines = {}
  end

  def here(*keys)
    @lines[keys.join(' ')] = caller_locations.find { |place| place.path == @path }&.lineno
  end

  # As Chef's: evaluates another file here.
  def from_file(path)
    instance_eval(File.read(path, encoding: 'UTF-8'), path.to_s, 1)
  end

  def self.value(name, *kinds, pattern: nil)
    define_method(name) do |given = nil|
      return @values[name] if given.nil?

      unless kinds.any? { |kind| kind === given }
        raise ArgumentError, "#{name} must be a #{kinds.join(' or ')}, not #{given.inspect}"
      end
      raise ArgumentError, "invalid #{name} #{given.inspect}: use letters, digits, - and _" if pattern && !pattern.match?(given)

      here(name)
      given.each_key { |key| here(name, key) } if given.is_a?(Hash)
      @values[name] = given
    end
  end
end

class RoleDsl < Dsl
  value :name, String, pattern: /\A[\-[:alnum:]_]+\z/
  value :description, String
  value :default_attributes, Hash
  value :override_attributes, Hash

  def run_list(*items)
    return @values[:run_list] ||= [] if items.empty?

    here(:run_list)
    @values[:run_list] = items.flatten.map(&:to_s)
  end
  alias recipes run_list

  def env_run_lists(lists = nil)
    return @values[:env_run_lists] ||= {} if lists.nil?

    raise ArgumentError, 'env_run_lists needs a run list for _default' unless lists.key?('_default')

    @values[:env_run_lists] = {}
    env_run_lists_add(lists)
  end
  alias env_run_list env_run_lists

  def env_run_lists_add(lists = {})
    lists.each do |environment, items|
      items = Array(items).flatten.map(&:to_s)
      here(:env_run_lists, environment)
      environment.to_s == '_default' ? run_list(items) : env_run_lists[environment.to_s] = items
    end
    env_run_lists
  end
  alias env_run_list_add env_run_lists_add
end

class EnvironmentDsl < Dsl
  value :name, String, pattern: /\A[\-[:alnum:]_]+\z/
  value :description, String
  value :default_attributes, Hash
  value :override_attributes, Hash
  value :cookbook_versions, Hash
  alias default_attributes= default_attributes
  alias override_attributes= override_attributes

  def cookbook(name, version)
    here(:cookbook_versions, name)
    (@values[:cookbook_versions] ||= {})[name] = version
  end
end

class MetadataDsl < Dsl
  %i[name description long_description maintainer maintainer_email license source_url issues_url].each do |field|
    value field, String
  end
  value :privacy, TrueClass, FalseClass
  value :eager_load_libraries, Array, String, TrueClass, FalseClass

  def version(given = nil)
    return @values[:version] unless given

    here(:version)
    @values[:version] = given.to_s
  end

  # Each of these is followed by at most one version constraint.
  { supports: :platforms, depends: :dependencies, provides: :providing }.each do |name, field|
    define_method(name) do |other, *constraints|
      raise ArgumentError, "#{name} '#{other}' takes at most one version constraint" if constraints.size > 1
      raise ArgumentError, "cookbook #{other} cannot depend on itself" if name == :depends && other == @values[:name]

      here(field, other)
      (@values[field] ||= {})[other.to_s] = (constraints.flatten.first || '>= 0.0.0').to_s
    end
  end

  { chef_version: :chef_versions, ohai_version: :ohai_versions, gem: :gems }.each do |name, field|
    define_method(name) do |*arguments|
      list = (@values[field] ||= [])
      here(field) && list << arguments unless arguments.empty?
      list
    end
  end

  def recipe(name, description)
    (@values[:recipes] ||= {})[name.to_s] = description
  end

  # Chef ignores unknown methods here: old metadata has `attribute`, `grouping` and more.
  def method_missing(name, *_arguments)
    super if block_given?
  end

  def respond_to_missing?(*)
    true
  end
end

# knife's configuration: every name is a setting; `knife[:x] = y` and `Chef::Config[:x]` work.
class ConfigDsl < Dsl
  def knife
    @values[:knife] ||= {}
  end

  def [](name)
    @values[name.to_sym]
  end

  def []=(name, value)
    @values[name.to_sym] = value
  end

  def method_missing(name, *arguments)
    field = name.to_s.chomp('=').to_sym
    arguments.empty? ? @values[field] : @values[field] = arguments.first
  end

  def respond_to_missing?(*)
    true
  end
end

KINDS = { 'metadata' => MetadataDsl, 'role' => RoleDsl, 'environment' => EnvironmentDsl, 'config' => ConfigDsl }.freeze

# The settings of knife's configuration, as Chef itself has them.
def chef_settings(path)
  Chef::Config.config_file = path
  Chef::Config.from_file(path)
  JSON.generate(value: Chef::Config.save, lines: {})
end

def evaluate(kind, path)
  return chef_settings(path) if kind == 'config' && CHEF

  dsl = evaluated(kind, path)
  not_utf8(dsl, path) || JSON.generate(value: dsl.values, lines: dsl.lines)
rescue NoMemoryError, SignalException
  raise
rescue SyntaxError => e
  own = e.message.start_with?("#{path}:") # otherwise that of a string that it evaluates
  JSON.generate(own ? { syntax: e.message.scrub('?') } : { error: message_of(e), line: line_of(e, path) })
rescue Exception => e # rubocop:disable Lint/RescueException -- `exit` is the file's fault, too
  words = $dsl ? $dsl.public_methods(true) - Object.public_instance_methods : []
  unknown = e.is_a?(NameError) ? e.name : nil
  # A setting that has not been set is nil here, but may have a default value in Chef.
  chef = e.is_a?(LoadError) || unknown && (kind == 'config' || unknown.match?(/\A[A-Z]/))
  JSON.generate(error: message_of(e), line: line_of(e, path), unknown: unknown, known: words, chef: chef)
end

# A file may read others by relative paths. People run knife in the repository, as we do, or in the cookbook.
def evaluated(kind, path)
  dsl = $dsl = KINDS.fetch(kind).new(path)
  dsl.instance_eval(File.read(path, encoding: 'UTF-8'), path, 1)
  dsl
rescue Errno::ENOENT
  raise if File.identical?('.', File.dirname(path))

  Dir.chdir(File.dirname(path)) { evaluated(kind, path) }
end

# The answer if a value is not UTF-8, which JSON cannot express: usually a README's text.
def not_utf8(dsl, path)
  field, value = dsl.values.find { |_, each| invalid(each) }
  return unless field

  text = invalid(value)
  file = Dir[File.join(File.dirname(path), '*')].sort.find { |each| File.file?(each) && File.binread(each).include?(text.b) }
  return JSON.generate(error: "#{field} is not UTF-8", line: dsl.lines[field.to_s] || 1) unless file

  before = File.binread(file).force_encoding('UTF-8').each_char.take_while(&:valid_encoding?).join
  what = "the file is not UTF-8, but #{File.basename(path)} uses it as #{field}"
  JSON.generate(error: what, file: file, line: before.count("\n") + 1, column: before.length - (before.rindex("\n") || -1))
end

# The first text in a value that is not UTF-8.
def invalid(value)
  case value
  when Hash then value.to_a.flatten(1).lazy.map { |each| invalid(each) }.find(&:itself)
  when Array then value.lazy.map { |each| invalid(each) }.find(&:itself)
  when String then value unless value.dup.force_encoding('UTF-8').valid_encoding?
  end
end

def message_of(error)
  text = error.is_a?(NameError) ? %(undefined name "#{error.name}") : "#{"#{error.class}: " unless error.is_a?(ArgumentError)}#{error.message}"
  text.scrub('?').lines.first.strip
end

def line_of(error, path)
  [error.message.scrub('?'), *error.backtrace].each do |text|
    return Regexp.last_match(1).to_i if text =~ /\A#{Regexp.escape(path)}:(\d+)/
  end
  1
end

CHEF = defined?(::Chef::VERSION)
unless CHEF
  # For config.rb files that only set `Chef::Config[:x]` or `Chef::Config.x`.
  module Chef
    Config = BasicObject.new
    def Config.method_missing(...)
      $dsl.public_send(...)
    end
  end
end

answer = $stdout.dup # which the files cannot access
answer.sync = true
wanted = JSON.parse($stdin.read)
Chef::Config.reset if CHEF && wanted.any? { |file| file['kind'] == 'config' } # knife has set it for itself
$stdin.reopen(File::NULL)
$stdout.reopen($stderr)
answer.puts('ready')
wanted.each { |file| answer.puts(evaluate(file['kind'], file['path'])) }
