# frozen_string_literal: true

RSpec.describe OpenstackCommon::Schema do
  subject(:schema) { described_class.new('glance', 'python3-glance', connection) }

  let(:connection) { instance_double(OpenstackCommon::Mariadb) }
  let(:version) { +"python3-glance\t2:30.0.0-1\n" }
  let(:revisions) { [['2025_1_contract01']] }

  around { |example| Dir.mktmpdir { |directory| (@directory = directory) && example.run } }

  before do
    stub_const("#{described_class}::DIRECTORY", @directory)
    dpkg = instance_double(Mixlib::ShellOut, error!: nil)
    allow(dpkg).to receive(:run_command).and_return(dpkg)
    allow(dpkg).to receive(:stdout) { version }
    allow(Mixlib::ShellOut).to receive(:new).with('dpkg-query', '--show', 'python3-glance').and_return(dpkg)
    allow(connection).to receive(:query) { revisions }
  end

  it 'is not up to date before the first upgrade' do
    expect(schema).not_to be_up_to_date
  end

  context 'after an upgrade' do
    before { File.write(schema.path, schema.state) }

    it 'is up to date' do
      expect(schema.state).to eq("python3-glance\t2:30.0.0-1\n2025_1_contract01\n")
      expect(schema).to be_up_to_date
    end

    it 'is not if the package has another version' do
      version.sub!('30.0.0', '31.0.0')
      expect(schema).not_to be_up_to_date
    end

    it 'is not if the database has another revision' do
      revisions.first[0] = '2024_2_contract01'
      expect(schema).not_to be_up_to_date
    end

    it 'is not if the database has no table of revisions' do
      allow(connection).to receive(:query).and_raise(OpenstackCommon::Mariadb::Error, "ERROR 1146 (42S02) at line 1: Table 'glance.alembic_version' doesn't exist")
      expect(schema).not_to be_up_to_date
    end

    it 'fails if the database does not say' do
      allow(connection).to receive(:query).and_raise(OpenstackCommon::Mariadb::Error, 'ERROR 1045 (28000): Access denied')
      expect { schema.up_to_date? }.to raise_error(/Access denied/)
    end
  end
end
