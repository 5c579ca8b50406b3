# frozen_string_literal: true

RSpec.describe OpenstackDashboard::Settings do
  it 'writes values as Python literals' do
    text = described_class.render('B' => [true, nil, 1.5], 'A' => { 'say "hi"' => 'ü' }, 'GONE' => nil)
    expect(text.lines.drop(1).join).to eq(%(A = {"say \\"hi\\"": "ü"}\nB = [True, None, 1.5]\n))
  end
end
