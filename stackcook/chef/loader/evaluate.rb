# frozen_string_literal: true

# Evaluates files of Chef's Ruby DSL without Chef: metadata.rb, roles, environments, config.rb.
#
# Standard input: JSON [{"kind": "metadata", "path": "..."}, ...]. Standard output: "ready", then a line of JSON
# for each file: {"value": {...}, "lines": {...}} with its fields and their lines, {"syntax": "..."} with Ruby's message
# for a syntax error, or {"error": "...", "line": 3}; for an undefined name also with "unknown", the name, and
# "known", the names that exist. Each line is flushed, so that a file that never ends does not lose earlier results.
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
      (@values[field] ||= {})[other.to_s] = (constraints.first || '>= 0.0.0').to_s
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

def evaluate(kind, path)
  dsl = KINDS.fetch(kind).new(path)
  $chef_config = dsl if kind == 'config'
  dsl.instance_eval(File.read(path, encoding: 'UTF-8'), path, 1)
  JSON.generate(value: dsl.values, lines: dsl.lines)
rescue NoMemoryError, SignalException
  raise
rescue SyntaxError => e
  own = e.message.start_with?("#{path}:") # otherwise that of a string that it evaluates
  JSON.generate(own ? { syntax: e.message.scrub('?') } : { error: message_of(e), line: line_of(e, path) })
rescue Exception => e # rubocop:disable Lint/RescueException -- `exit` is the file's fault, too
  words = dsl ? dsl.public_methods(true) - Object.public_instance_methods : []
  unknown = e.is_a?(NameError) ? e.name : nil
  JSON.generate(error: message_of(e), line: line_of(e, path), unknown: unknown, known: words)
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

# What config.rb files call `Chef::Config`.
module Chef
  Config = Class.new do
    def self.[](name)
      $chef_config[name]
    end

    def self.[]=(name, value)
      $chef_config[name] = value
    end
  end
end

answer = $stdout.dup # which the files cannot access
answer.sync = true
wanted = JSON.parse($stdin.read)
$stdin.reopen(File::NULL)
$stdout.reopen($stderr)
answer.puts('ready')
wanted.each { |file| answer.puts(evaluate(file['kind'], file['path'])) }
