# frozen_string_literal: true

# The recipes, templates, files and Debian packages that a recipe names.
#
# `found` has for each: [kind, name, cookbook, line, column, certain]. The kind is "recipe", "template", "file",
# "package" (Chef's own resources) or "openstack_packages"; `cookbook` is nil for the recipe's own; `*` stands
# for what Ruby computes. `certain` is false in a condition, a loop or a block, or if the recipe may return early.
class Uses
  WORDS = /\b(?:include_recipe|template|cookbook_file|openstack_packages)\b|^\s*(?:apt_)?package\b/
  FILES = { 'template' => 'template', 'cookbook_file' => 'file' }.freeze
  PACKAGES = { 'package' => 'package', 'apt_package' => 'package', 'openstack_packages' => 'openstack_packages' }.freeze
  PACKAGE_NAME = /\A[a-z0-9][a-z0-9+.-]+\z/
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
    elsif PACKAGES[name] && arguments.size == 1
      packages(PACKAGES[name], arguments.first, certain)
    else
      certain &&= !UNCERTAIN.include?(node.first)
      node.each { |child| walk(child, certain) }
    end
  end

  # Whether the node is a template, cookbook_file or package with a block.
  def resource(node, certain)
    return false unless node.first == :method_add_block

    name, arguments = call(node[1])
    return false unless (FILES[name] || PACKAGES[name]) && arguments.size == 1
    return file(name, arguments.first, properties(node[2]), certain) if FILES[name]

    names = package_names(arguments.first, node[2])
    packages(PACKAGES[name], names, certain) if names
    true
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

  # The argument that names the packages; nil if the block sets anything else, such as a version or a condition.
  def package_names(title, block)
    body = block.last
    body = body[1] if body.first == :bodystmt
    body.each do |statement|
      name, arguments = call(statement)
      next if name == 'action' && arguments.flatten.grep(String) == %w(install)
      return unless %w(packages package_name).include?(name) && arguments.size == 1

      title = arguments.first
    end
    title
  end

  # Only names that are written out: of `%w(a b) + more` and of `['a', 'b', *more]`, a and b.
  def packages(kind, node, certain)
    parts = case node.first
            when Array then node
            when :array then [node[1]].compact
            when :args_add_star then [node[1], *node.drop(3)]
            when :binary then node[2] == :+ ? [node[1], node[3]] : []
            else []
            end
    parts.each { |part| packages(kind, part, certain) }

    name, line, column = string(node.first == :@tstring_content ? [:string_literal, [:string_content, node]] : node)
    @found << [kind, name, nil, line, column, certain] if name&.match?(PACKAGE_NAME)
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
