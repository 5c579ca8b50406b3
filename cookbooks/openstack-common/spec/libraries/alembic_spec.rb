# frozen_string_literal: true

RSpec.describe OpenstackCommon::Alembic do
  around { |example| Dir.mktmpdir { |directory| Dir.chdir(directory) { example.run } } }

  def migration(name, revision, down, more = '')
    FileUtils.mkdir_p(File.dirname(name))
    File.write(name, "revision = '#{revision}'\ndown_revision = #{down}\n#{more}")
  end

  it 'finds the revision on which no other one is based' do
    migration('versions/1.py', 'a', 'None')
    migration('versions/2.py', 'b', "'a'")
    expect(described_class.heads(['versions'])).to eq(%w(b))
  end

  it 'finds one for each branch, also in subdirectories' do
    migration('versions/initial.py', 'a', 'None')
    migration('versions/2025.1/expand/e.py', 'e', '"a"')
    migration('versions/2025.1/contract/c.py', 'c', "('a',)")
    expect(described_class.heads(['versions'])).to eq(%w(c e))
  end

  it 'ignores a branch on which another one depends, as Alembic does' do
    migration('versions/e.py', 'expand01', 'None')
    migration('versions/c.py', 'contract01', 'None', "depends_on = 'expand01'\n")
    expect(described_class.heads(['versions'])).to eq(%w(contract01))
  end

  it 'names the directories if they contain no migrations' do
    expect { described_class.heads(['gone']) }.to raise_error(/no migrations in gone/)
  end
end
