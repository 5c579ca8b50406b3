# frozen_string_literal: true

RSpec.describe OpenstackMessaging::Rabbitmq do
  subject(:rabbitmq) { described_class.new('rabbit@localhost') }

  def stub_erl_call(stdout, status = 0)
    ran = instance_double(Mixlib::ShellOut, stdout: stdout, exitstatus: status)
    allow(ran).to receive(:run_command).and_return(ran)
    allow(Mixlib::ShellOut).to receive(:new) { |argv, **options|
      @argv = argv
      @options = options
    }.and_return(ran)
  end

  it 'converts answers to true and false' do
    stub_erl_call('{ok, true}')
    expect(rabbitmq.user?('openstack')).to be(true)
    stub_erl_call('{ok, refused}')
    expect(rabbitmq.password?('openstack', 'wrong')).to be(false)
  end

  it 'sends expressions on stdin, with the password as numbers' do
    stub_erl_call('{ok, ok}')
    expect(rabbitmq.password?('a', 'b')).to be(true)
    expect(@argv).to eq(%w(erl_call -sname rabbit@localhost -e))
    expect(@options).to include(user: 'rabbitmq', input: "element(1, rabbit_access_control:check_user_pass_login(<<97>>, <<98>>)).\n")
  end

  it 'changes a password, sent on stdin' do
    stub_erl_call('{ok, ok}')
    rabbitmq.change_password('a', 'b')
    expect(@options).to include(input: %(rabbit_auth_backend_internal:change_password(<<97>>, <<98>>, <<"chef">>).\n))
  end

  it 'names the call that RabbitMQ rejected' do
    stub_erl_call('{ok, {error, {user_already_exists, #Bin<97>}}}')
    expect { rabbitmq.create('a', 'b') }.to raise_error(/add_user was refused: \{error, \{user_already_exists/)
  end

  it 'reports a missing response without the expression' do
    stub_erl_call('', 1)
    expect { rabbitmq.password?('openstack', 'secret') }.to raise_error(/\ARabbitMQ rabbit@localhost: no response to erl_call \(exit status 1\)/)
  end
end
