# frozen_string_literal: true

require_relative '../cloud'

RSpec.describe 'openstack_image' do
  include_context 'with a cloud'
  step_into :openstack_image

  directory = Dir.mktmpdir
  after(:all) { FileUtils.rm_r(directory) }
  file = File.join(directory, 'disk')
  sha256 = Digest::SHA256.hexdigest('disk')
  sha512 = Digest::SHA512.hexdigest('disk')
  before { File.write(file, 'disk') }

  let(:image) do
    { 'id' => 'i1', 'name' => 'test', 'owner' => 'id-admin', 'status' => 'active', 'os_hash_algo' => 'sha512', 'os_hash_value' => sha512,
      'source_sha256' => sha256, 'disk_format' => 'raw', 'container_format' => 'bare', 'visibility' => 'public', 'protected' => false,
      'min_ram' => 0, 'min_disk' => 0, 'os_type' => 'linux', 'other' => 'kept' }
  end
  let(:glance) { { '/v2/images' => [image].compact } }

  recipe do
    openstack_image 'test' do
      source file
      disk_format 'raw'
      properties 'os_type' => 'linux'
    end
  end

  it_behaves_like 'up to date'

  context 'without the image' do
    let(:image) { nil }

    it 'creates it and uploads the file' do
      chef_run
      expect(changes).to match(
        [[:post, '/v2/images', include('name' => 'test', 'owner' => 'id-admin', 'disk_format' => 'raw', 'visibility' => 'public', 'os_type' => 'linux',
                                       'source_sha512' => sha512)],
         [:upload, '/v2/images/new/file', 'disk']]
      )
    end
  end

  it 'hides an image with other content, and uploads a new one' do
    image['os_hash_value'] = 'a' * 128
    chef_run
    expect(changes.map { |change| change.first(2) }).to eq(
      [[:post, '/v2/images'], [:upload, '/v2/images/new/file'], [:patch, '/v2/images/i1']]
    )
    expect(changes.last[2]).to eq([{ op: 'add', path: '/os_hidden', value: true }])
  end

  context 'after a run that was interrupted when it had uploaded a new image' do
    let(:old) { image.merge('id' => 'i0', 'os_hash_value' => 'a' * 128) }
    let(:by_hand) { image.reject { |key, _| key.start_with?('source') }.merge('id' => 'i2') }
    let(:glance) { { '/v2/images' => [image, old, by_hand] } }

    it 'hides the old one, and none that a user has made' do
      chef_run
      expect(changes.map { |change| change.first(3) }).to eq([[:patch, '/v2/images/i0', [{ op: 'add', path: '/os_hidden', value: true }]]])
    end
  end

  it 'changes properties in place' do
    image['os_type'] = 'windows'
    chef_run
    expect(changes.map(&:first)).to eq([:patch])
    expect(changes.first[2]).to include(op: 'add', path: '/os_type', value: 'linux')
  end

  context 'after an upload that was interrupted' do
    before { image.merge!('status' => 'queued', 'source_sha512' => sha512) }

    it 'deletes the empty image and uploads it again' do
      chef_run
      expect(changes.map { |change| change.first(2) }).to eq([[:delete, '/v2/images/i1'], [:post, '/v2/images'], [:upload, '/v2/images/new/file']])
    end
  end

  context 'with a URL whose checksum the image has' do
    recipe do
      openstack_image 'test' do
        source 'http://127.0.0.1:1/disk'
        checksum sha256.upcase
        disk_format 'raw'
      end
    end

    it 'downloads nothing' do
      chef_run
      expect(changes).to be_empty
    end
  end

  context 'with a URL without a checksum' do
    recipe { openstack_image('test') { source 'http://127.0.0.1:1/disk' } }

    it 'fails' do
      expect { chef_run }.to raise_error(/image test: checksum is required for a URL; set it to the SHA-256 or SHA-512/)
    end
  end

  context 'with another checksum than the file has' do
    let(:image) { nil }

    recipe do
      openstack_image('test') do
        source file
        checksum 'b' * 64
      end
    end

    it 'uploads nothing' do
      expect { chef_run }.to raise_error(/its checksum is #{sha256}, but b{64} is expected/)
      expect(changes).to be_empty
    end
  end
end
