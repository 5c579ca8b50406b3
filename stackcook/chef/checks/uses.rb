# frozen_string_literal: true

# The recipes, templates and files that a recipe names.
#
# `found` has for each: [kind, name, cookbook, line, column, certain]. The kind is "recipe", "template" or
# "file"; `cookbook` is nil for the recipe's own; `*` stands for what Ruby computes. `certain` is false
# in a condition, a loop or a block, or if the recipe may return early.
class Uses
  WORDS = /\b(?:include_recipe|template|cookbook_file)\b/
  FILES = { 'template' => 'template', 'cookbook_file' => 'file' }.freeze
  UNCERTAIN = %i(if unless elsif else if_mod unless_mod case while until for while_mod until_mod ifop binary
                 rescue rescue_mod brace_block do_block lambda def defs).freeze

  attr_reader :found

  def initialize(text)
    require 'ripper'
    @lines = text.lines
    @found = []
    tree = Ripper.sexp(text)
    walk(tree, !returns?(tree))
  end

  private

  def walk(node, certain)
    return unless node.is_a?(Array)
    return if resource(node, certain)

    name, arguments = call(node)
    if name == 'include_recipe'
      arguments.each { |argument| add('recipe', argument, nil, certain) }
    elsif FILES[name] && arguments.size == 1
      file(name, arguments.first, [], certain)
    else
      certain &&= !UNCERTAIN.include?(node.first)
      node.each { |child| walk(child, certain) }
    end
  end

  # Whether the node is a template or cookbook_file with a block.
  def resource(node, certain)
    return false unless node.first == :method_add_block

    name, arguments = call(node[1])
    return false unless FILES[name] && arguments.size == 1

    file(name, arguments.first, properties(node[2]), certain)
  end

  def file(name, title, properties, certain)
    named = properties.to_h
    return true if named['local'] || properties.count { |property, _| property == 'source' } > 1

    title, line, column = string(title)
    source, line, column = string(named['source']) if named['source']
    unless named['source']
      source = title && File.basename(title) + (name == 'template' ? '.erb' : '')
    end
    cookbook = named['cookbook'] && (string(named['cookbook']) || ['*']).first
    @found << [FILES[name], source, cookbook, line, column, certain && !source.include?('*')] if source
    true
  end

  # The calls with one argument anywhere in a block; one without an argument that can be read is nil.
  def properties(node)
    return [] unless node.is_a?(Array)

    name, arguments = call(node)
    return [[name, arguments.first]] if %w(source cookbook local).include?(name)

    node.flat_map { |child| properties(child) }
  end

  def add(kind, argument, cookbook, certain)
    name, line, column = string(argument)
    @found << [kind, name, cookbook, line, column, certain && !name.include?('*')] if name
  end

  # The name and the arguments of a call without a receiver.
  def call(node)
    return [nil, []] unless node.is_a?(Array)

    case node.first
    when :command then [node[1][1], arguments(node[2])]
    when :method_add_arg then node[1][0] == :fcall ? [node[1][1][1], arguments(node[2][1])] : [nil, []]
    else [nil, []]
    end
  end

  def arguments(node)
    node.is_a?(Array) && node.first == :args_add_block ? node[1].to_a : []
  end

  # Text, line and column of a string; nil if Ruby computes all of it.
  def string(node)
    return unless node.is_a?(Array) && node.first == :string_literal

    parts = node[1].drop(1)
    text = parts.map { |part| part.first == :@tstring_content ? part[1] : '*' }.join
    first = parts.find { |part| part.first == :@tstring_content }
    return if first.nil? || text.match?(/[\[\]?{}\\\n]/)

    line, column = first[2]
    [text, line, @lines[line - 1].byteslice(0, column).length + 1]
  end

  def returns?(node)
    node.is_a?(Array) && (%i(return return0).include?(node.first) || node.any? { |child| returns?(child) })
  end
end
