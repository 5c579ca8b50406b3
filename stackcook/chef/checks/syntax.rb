# frozen_string_literal: true

# Compiles Ruby files and ERB templates of cookbooks, running none of them.
#
# Standard input: JSON [{"kind": "rb", "erb" or "recipe", "path": "..."}, ...]. Standard output: "ready",
# then a line of JSON for each: {} where all is well, {"syntax": "...", "last": 9} with Ruby's own words for a
# syntax error and the file's last line, or {"error": "..."} for what can't be read.
# A recipe without errors may have {"uses": [...]}, see uses.rb.

require 'json'
require_relative 'uses'

# A tag with the text before it: mark, code, and the blanks after it if they end the line.
TAG = /\G(?<text>.*?)<%(?<mark>={1,3}|[-#%])?(?<code>.*?)(?<cut>[-=])?%>(?<after>[ \t]*\r?\n)?/m

# The Ruby of a template as Erubis, Chef's engine, sees it, line by line. Unlike ERB it takes away the
# white space around a tag that has its line for itself, so that `case` and `when` may stand in two tags.
def ruby_of(template)
  ruby = +'_ = +"";'
  fresh = true # whether a line begins here
  rest = 0
  template.scan(TAG) do
    tag = Regexp.last_match
    rest = tag.end(0)
    text = tag[:text]
    after = tag[:after].to_s
    shows = tag[:mark].to_s.start_with?('=')
    indent = text[fresh ? /(?:\A|(?<=\n))[ \t]*\z/ : /(?<=\n)[ \t]*\z/] unless shows
    alone = indent && !after.empty?
    text = text[0, text.size - indent.size] if alone
    silent = alone || (shows && tag[:cut] && !after.empty?)
    ruby << literal(text) << code_of(tag) << (silent ? "\n" : literal(after))
    fresh = !after.empty?
  end
  ruby << literal(template[rest..]) << "\n_\n"
end

def literal(text)
  text.empty? ? '' : "_ << '#{text.gsub(/['\\]/) { |char| "\\#{char}" }}';"
end

def code_of(tag)
  code = tag[:code]
  case tag[:mark]
  when '=' then "_ << (#{code}).to_s;"
  when '==' then "_ << escape(#{code});"
  when '===' then "debug((#{code.strip}).inspect);"
  when '#' then "\n" * code.count("\n")
  when '%' then literal(code)
  else code.end_with?("\n") ? code : "#{code};"
  end
end

def strange_line(text)
  text.lines.index { |line| !line.valid_encoding? } + 1
end

def check(kind, path)
  text = File.read(path, encoding: 'UTF-8')
  if kind == 'erb'
    return { syntax: "#{path}:#{strange_line(text)}: the file is not UTF-8", last: text.lines.size } unless text.valid_encoding?

    text = ruby_of(text)
  end
  RubyVM::InstructionSequence.compile(text, path, path, 1)
  kind == 'recipe' && text.match?(Uses::WORDS) ? { uses: Uses.new(text).found } : {}
rescue SyntaxError, ArgumentError => e # the latter for an encoding that Ruby doesn't know
  { syntax: e.message.scrub('?'), last: File.foreach(path).count }
rescue SystemCallError => e
  { error: "cannot read the file (#{e.message[/\A[^@]*/].strip})" }
end

$VERBOSE = nil
$stdout.sync = true
puts 'ready'
JSON.parse($stdin.read).each { |file| $stdout.puts(JSON.generate(check(file['kind'], file['path']))) }
