# frozen_string_literal: true

RSpec.describe OpenstackCommon::Mariadb do
  def stub_client(stdout: '', stderr: '', error: false)
    ran = instance_double(Mixlib::ShellOut, run_command: nil, stdout: stdout, stderr: stderr, error?: error)
    expect(Mixlib::ShellOut).to receive(:new) { |argv, **options|
      @argv = argv
      @options = options
    }.and_return(ran)
  end

  it 'returns rows of columns' do
    stub_client(stdout: "nova\tutf8mb3\nglance\t\n")
    expect(described_class.root.query('SELECT …')).to eq([%w(nova utf8mb3), ['glance', '']])
  end

  it 'keeps the password and the statement out of the argument list' do
    stub_client(stdout: "1\n")
    client = described_class.new('nova', password: 'secret', host: '192.0.2.10', database: 'nova_api')
    expect(client.login?).to be(true)
    expect(@argv).to eq(%w(mariadb --batch --skip-column-names --user=nova --host=192.0.2.10 --port=3306 --database=nova_api))
    expect(@options).to include(input: 'SELECT 1', environment: include('MYSQL_PWD' => 'secret'))
  end

  it 'masks secrets in error messages of the server' do
    stub_client(stderr: "ERROR 1064: near 'IDENTIFIED BY 'secret''\n", error: true)
    expect { described_class.root.query('CREATE USER …', secrets: ['secret']) }
      .to raise_error(described_class::Error, "MariaDB, user root: ERROR 1064: near 'IDENTIFIED BY '********''")
  end

  it 'escapes quotes and backslashes' do
    expect(described_class.quote("a'b\\c")).to eq("'a\\'b\\\\c'")
  end
end
