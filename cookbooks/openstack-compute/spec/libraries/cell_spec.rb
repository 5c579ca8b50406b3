# frozen_string_literal: true

require_relative '../../libraries/cell'

RSpec.describe OpenstackCompute::Cell do
  { 'mysql+pymysql://nova:secret@192.0.2.10/nova' => '{scheme}://{username}:{password}@{hostname}/{path}',
    'mysql+pymysql://nova:secret@192.0.2.10:3306/nova?charset=utf8' => '{scheme}://{username}:{password}@{hostname}:{port}/{path}?{query}',
    'rabbit://a:b@h1:5672,c:d@h2/' => '{scheme}://{username1}:{password1}@{hostname1}:{port1},{username2}:{password2}@{hostname2}/{path}',
  }.each do |url, template|
    it "makes #{template}" do
      expect(described_class.template(url)).to eq(template)
    end
  end

  it 'makes a template for another database on the same server' do
    expect(described_class.template('mysql+pymysql://nova:x@h/nova', path: 'nova_cell0'))
      .to eq('{scheme}://{username}:{password}@{hostname}/nova_cell0')
  end
end
