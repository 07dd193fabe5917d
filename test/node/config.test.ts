import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigFile, ConfigOverlay } from '../../src/node/config-schema.ts';
import { loadConfig } from '../../src/node/config.ts';
import { temporaryDirectory } from './directory.ts';

const PEER = '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L';

async function load(
  file: ConfigFile | Record<string, unknown>,
  environment: Record<string, string> = {},
  flags: ConfigOverlay = {},
) {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'config.json'), JSON.stringify(file));
  const loaded = await loadConfig({ file: 'config.json', environment, flags, directory });
  return { ...loaded, directory };
}

const SMALLEST = { genesis: 'genesis.json', dataDirectory: 'data' };

describe('the configuration of a node', () => {
  test('fills in what the file leaves out and makes every path absolute', async () => {
    const { config, directory } = await load(SMALLEST);
    expect(config).toMatchObject({
      genesis: join(directory, 'genesis.json'),
      dataDirectory: join(directory, 'data'),
      identityKeyFile: join(directory, 'masa_oracle_key'),
      identityKeyHex: null,
      blsKeyFile: null,
      role: 'observer',
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      controlSocket: join(directory, 'data/control.sock'),
      addressFile: join(directory, 'data/addresses.json'),
      pacemaker: { baseTimeoutMs: 1000 },
      submission: { policy: 'open' },
      log: { level: 'info' },
    });
  });

  test('a node with a BLS key file is a validator', async () => {
    const { config, directory } = await load({ ...SMALLEST, blsKeyFile: 'bls_key' });
    expect(config).toMatchObject({ role: 'validator', blsKeyFile: join(directory, 'bls_key') });
  });

  test.each(['0.0.0.0:4101', '[::]:4101'])('a Raft server that listens on %s says where it is', async (listen) => {
    const refused = { code: 'config-invalid' };
    await expect(load({ ...SMALLEST, raft: { listen } })).rejects.toMatchObject(refused);
    await expect(load({ ...SMALLEST, raft: { listen, advertise: '0.0.0.0:1' } })).rejects.toMatchObject(refused);
    await expect(load({ ...SMALLEST, raft: {} })).rejects.toMatchObject(refused);
    const { config } = await load({ ...SMALLEST, raft: { listen, advertise: 'a.example:4101' } });
    expect(config.raft).toMatchObject({ listen, advertise: 'a.example:4101' });
    expect((await load({ ...SMALLEST, raft: { transport: 'libp2p' } })).config.raft).not.toBeNull();
  });

  test('a member of a Raft cluster keeps all blocks', async () => {
    const raft = { listen: '127.0.0.1:4101' };
    await expect(load({ ...SMALLEST, raft, pruning: { policy: 'keepBlocks' } })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('pruning.policy') as string,
    });
    expect((await load({ ...SMALLEST, raft })).config.pruning.policy).toBe('all');
  });

  test('the environment goes over the file, and flags over both', async () => {
    const file = { ...SMALLEST, log: { level: 'warn', file: 'a.log' }, listen: ['/ip4/127.0.0.1/tcp/1'] };
    const environment = { LOG_LEVEL: 'DEBUG', PORT_NBR: '4100', BOOTNODES: `/ip4/10.0.0.1/tcp/4001/p2p/${PEER}, ` };
    const { config, directory } = await load(file, environment, { listen: ['/ip4/127.0.0.1/tcp/3'] });
    expect(config.listen).toEqual(['/ip4/127.0.0.1/tcp/3']);
    expect(config.log).toEqual({ level: 'debug', file: join(directory, 'a.log') });
    expect(config.bootstrap).toEqual([`/ip4/10.0.0.1/tcp/4001/p2p/${PEER}`]);
    const withoutFlags = await load(file, environment);
    expect(withoutFlags.config.listen).toEqual(['/ip4/0.0.0.0/tcp/4100']);
  });

  test('MASA_DIR alone names key and data, as masa-oracle has them', async () => {
    const { config } = await loadConfig({
      file: undefined,
      environment: { MASA_DIR: '/var/masa', HOTLEDGER_GENESIS: '/etc/genesis.json', PRIVATE_KEY: '0801' },
      flags: {},
      directory: '/',
    });
    expect(config).toMatchObject({
      dataDirectory: '/var/masa/data',
      identityKeyFile: '/var/masa/masa_oracle_key',
      identityKeyHex: '0801',
    });
  });

  test('old settings without a meaning are warned of when they ask for something', async () => {
    const { warnings } = await load(SMALLEST, { VALIDATOR: 'true', UDP: 'false', CACHE_PATH: '', API_ENABLED: 'true' });
    expect(warnings.map(({ code, setting }) => [code, setting])).toEqual([
      ['setting-retired', 'VALIDATOR'],
      ['setting-retired', 'API_ENABLED'],
    ]);
  });

  test.each([
    ['an unknown key', { ...SMALLEST, lisen: [] }, 'config-unknown-key', 'lisen'],
    ['an unknown key in a section', { ...SMALLEST, log: { colour: true } }, 'config-unknown-key', 'log.colour'],
    ['a missing setting', { genesis: 'g' }, 'config-invalid', 'dataDirectory'],
    ['an address that does not parse', { ...SMALLEST, listen: ['localhost:4001'] }, 'config-invalid', 'listen.0'],
    [
      'a bootstrap peer without its id',
      { ...SMALLEST, bootstrap: ['/ip4/1.2.3.4/tcp/1'] },
      'config-invalid',
      'bootstrap.0',
    ],
    [
      'a number out of range',
      { ...SMALLEST, pacemaker: { baseTimeoutMs: 1 } },
      'config-invalid',
      'pacemaker.baseTimeoutMs',
    ],
    ['a level that does not exist', { ...SMALLEST, log: { level: 'loud' } }, 'config-invalid', 'log.level'],
  ])('%s is refused by code and by name', async (_what, file, code, key) => {
    await expect(load(file)).rejects.toMatchObject({ code, details: { key } });
  });

  test('a file that is absent, is not JSON, or is no object is refused', async () => {
    const directory = await temporaryDirectory();
    const sources = { environment: {}, flags: {}, directory };
    await expect(loadConfig({ ...sources, file: 'none.json' })).rejects.toMatchObject({ code: 'config-not-found' });
    await expect(loadConfig({ ...sources, file: '.' })).rejects.toMatchObject({
      code: 'file-unusable',
      details: { path: directory },
    });
    await writeFile(join(directory, 'half.json'), '{"genesis":');
    const below = { ...sources, file: 'half.json/config.json' };
    await expect(loadConfig(below), 'below what is no directory').rejects.toMatchObject({ code: 'config-not-found' });
    await expect(loadConfig({ ...sources, file: 'half.json' })).rejects.toMatchObject({ code: 'config-not-json' });
    await writeFile(join(directory, 'list.json'), '[]');
    await expect(loadConfig({ ...sources, file: 'list.json' })).rejects.toMatchObject({ code: 'config-invalid' });
  });
});
