# frozen_string_literal: true

RSpec.describe OpenstackCompute::Identity do
  it 'is the version 5 UUID of the host name' do
    expect(described_class.uuid('www.example.com')).to eq('2ed6657d-e927-568b-95e1-2665a8aea6a2') # RFC 9562, A.4
  end
end
