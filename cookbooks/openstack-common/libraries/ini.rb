# frozen_string_literal: true

module OpenstackCommon
  # INI files as oslo.config and uWSGI read them.
  module Ini
    # The marks of {override}
    SET = "# Written by Chef:\n"
    REPLACED = '# Before Chef: '
    HEADER = "# Written by Chef. Change options in the environment: %s\n"

    module_function

    # Later layers override earlier ones, option by option; an option set to nil is omitted.
    #
    # @param layers [Array<Hash>] each {section => {option => value}}; nil counts as empty
    # @return [Hash{String => Hash{String => Object}}] sections in alphabetical order, DEFAULT first
    def merge(*layers)
      merged = Hash.new { |sections, name| sections[name] = {} }
      layers.compact.each do |layer|
        layer.each { |section, options| options&.each { |key, value| merged[section.to_s][key.to_s] = value } }
      end
      merged.transform_values! { |options| options.compact.sort.to_h }
      merged.reject { |_, options| options.empty? }.sort_by { |name, _| [name == 'DEFAULT' ? 0 : 1, name] }.to_h
    end

    # oslo.config reads $ as the start of another option's name. It also reads \$ as $; therefore `$$` would not
    # do after a backslash.
    #
    # @return [String] the text as an option's value, without references to other options
    def literal(text)
      text.gsub('$') { '\\$' }
    end

    # oslo.config strips blanks, and then one pair of quotes.
    #
    # @return [String] the text between quotes if it would be read differently without them
    def quote(text)
      text.match?(/\A(?:['"]|[^[:graph:]])|[^[:graph:]]\z/) ? "\"#{text}\"" : text
    end

    # @param sections [Hash] as from {merge}
    # @param origin [String] the attribute path that the header names
    # @return [String] the file's text
    def render(sections, origin)
      body = sections.map { |name, options| "\n[#{name}]\n#{options.flat_map { |key, value| lines(key, value) { |text| quote(text) } }.join}" }
      format(HEADER, origin) + body.join
    end

    # Sets options of one section in an existing text, and keeps everything else.
    # An option that occurs several times is written once, in place of the first. What it replaces becomes a comment, so that
    # an option which is not set any more gets its former value back.
    #
    # @return [String] the new text; the same text if the options are already set
    def override(text, section, options)
      wanted = options.to_h { |key, value| [key.to_s, value] }
      current = nil
      done = []
      kept = restore(text).lines.flat_map do |line|
        current = Regexp.last_match(1) if line =~ /^\s*\[(.+?)\]/
        key = line[/^\s*([^#;=\s\[][^=]*?)\s*=/, 1]
        next [line] unless current == section && wanted.key?(key)
        former = "#{REPLACED}#{line.chomp}\n"
        next [former] if done.include?(key)

        done << key
        [former, *own(key, wanted[key])]
      end
      insert(kept, section, wanted.except(*done))
    end

    # @yield [String] a value; returns how it is written
    # @return [Array<String>] one line, or one for each value of an array
    def lines(key, value)
      Array(value.is_a?(Hash) ? value.to_s : value).map do |single|
        text = single.to_s
        # Python reads \r as a line break, too
        raise ArgumentError, "option #{key}: the value contains a line break; INI files do not allow that" if text.match?(/[\r\n]/)

        "#{key} = #{block_given? ? yield(text) : text}\n"
      end
    end

    def insert(kept, section, missing)
      added = missing.flat_map { |key, value| own(key, value) }
      return kept.join if added.empty?

      at = kept.index { |line| line =~ /^\s*\[#{Regexp.escape(section)}\]/ }
      at ? kept.insert(at + 1, *added) : kept.push("[#{section}]\n", *added)
      kept.join
    end

    # The text as it was before {override}.
    def restore(text)
      text.gsub(/^#{SET}.*\n/, '').gsub(/^#{REPLACED}/, '')
    end

    # The lines of an option that {override} sets, each after a mark.
    def own(key, value)
      value.nil? ? [] : lines(key, value).map { |line| SET + line }
    end
    private_class_method :insert, :restore, :own
  end
end
