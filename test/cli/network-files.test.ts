/** The commands that make keys, configurations and genesis files. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { chainIdOf, parseGenesis } from '../../src/ledger/genesis.ts';
import { loadBlsKey } from '../../src/node/bls-key.ts';
import { loadConfig } from '../../src/node/config.ts';
import { generateIdentityKey, loadIdentityKey, saveIdentityKey } from '../../src/node/keys.ts';
import type { Testnet } from '../../src/node/testnet.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { run } from './terminal.ts';

const SAMPLE = new URL('../fixtures/nodedata/nodedata-sample.json', import.meta.url).pathname;

describe('testnet', () => {
  test('makes directories whose configurations load, with keys that fit the genesis', async () => {
    const directory = await temporaryDirectory();
    const made = await run(['testnet', '--validators', '4', '--out', 'net', '--json'], directory);
    expect(made.exit).toBe(0);
    const { chainId, genesisFile, nodes } = made.json() as Testnet;
    const genesis = unwrap(parseGenesis(await readFile(genesisFile, 'utf8')));
    expect(chainIdOf(genesis)).toBe(chainId);
    expect(nodes.map(({ name }) => name)).toEqual([
      'validator-1',
      'validator-2',
      'validator-3',
      'validator-4',
      'observer',
    ]);
    for (const node of nodes) {
      const { config } = await loadConfig({ file: node.configFile, environment: {}, flags: {}, directory: '/' });
      expect(config.role).toBe(node.role);
      expect((await loadIdentityKey(config)).peerId).toBe(node.peerId);
      expect(config.bootstrap).toHaveLength(4);
      expect(await readFile(config.genesis, 'utf8')).toBe(await readFile(genesisFile, 'utf8'));
      if (config.blsKeyFile !== null) await expect(loadBlsKey(config.blsKeyFile)).resolves.toHaveLength(32);
      expect(genesis.validators.some(({ peerId }) => peerId === node.peerId)).toBe(node.role === 'validator');
    }
  });

  test('of a name that no chain can have is not made', async () => {
    const directory = await temporaryDirectory();
    for (const name of ['Ü', '', 'x'.repeat(32), '-a']) {
      const refused = await run(['testnet', '--out', 'net', '--name', name, '--json'], directory);
      expect([refused.exit, refused.json()]).toMatchObject([2, { error: { code: 'usage' } }]);
    }
    expect(await readdir(directory)).toEqual([]);
  });

  test('with more nodes than ports is not made', async () => {
    const directory = await temporaryDirectory();
    const argv = ['testnet', '--out', 'net', '--validators', '4', '--observers', '1', '--json', '--port'];
    const refused = await run([...argv, '65532'], directory);
    expect([refused.exit, refused.json()]).toMatchObject([
      2,
      { error: { code: 'usage', details: { highest: 65_536 } } },
    ]);
    for (const more of [[], ['--hosts', 'a.example,b.example,c.example,d.example']]) {
      // Each server of a Raft cluster has a port of its own, which is 100 above.
      const raft = await run([...argv, '65500', '--consensus', 'raft', ...more], directory);
      expect([raft.exit, raft.json()]).toMatchObject([2, { error: { code: 'usage' } }]);
    }
    expect(await readdir(directory)).toEqual([]);
    expect((await run([...argv, '65531'], directory)).exit).toBe(0);
  });

  test('for separate machines each listens on its port and is announced by its host', async () => {
    const directory = await temporaryDirectory();
    const hosts = 'v1.example.org,192.0.2.2,2001:db8::3,v4.example.org';
    await run(['testnet', '--out', 'net', '--hosts', hosts, '--observers', '0', '--port', '4500'], directory);
    const second = JSON.parse(await readFile(join(directory, 'net/validator-2/config.json'), 'utf8')) as {
      listen: string[];
      announce: string[];
      bootstrap: string[];
    };
    expect(second.listen).toEqual(['/ip4/0.0.0.0/tcp/4500']);
    expect(second.announce).toEqual(['/ip4/192.0.2.2/tcp/4500']);
    expect(second.bootstrap.map((address) => address.replace(/\/p2p\/.*/, ''))).toEqual([
      '/dns/v1.example.org/tcp/4500',
      '/ip6/2001:db8::3/tcp/4500',
      '/dns/v4.example.org/tcp/4500',
    ]);
  });

  test('never writes over keys, and wants a host for each validator', async () => {
    const directory = await temporaryDirectory();
    await run(['testnet', '--out', 'net', '--validators', '1'], directory);
    const again = await run(['testnet', '--out', 'net', '--validators', '1', '--json'], directory);
    expect([again.exit, again.json()]).toMatchObject([1, { error: { code: 'directory-exists' } }]);
    const deep = await run(['testnet', '--out', 'a/b', '--json'], directory);
    expect(deep.json()).toMatchObject({ error: { code: 'directory-missing' } });
    const few = await run(['testnet', '--out', 'few', '--hosts', 'a,b', '--json'], directory);
    expect(few.json()).toMatchObject({ error: { code: 'hosts-mismatch', details: { hosts: 2, validators: 4 } } });
  });

  test('starts from an export of the older network', async () => {
    const directory = await temporaryDirectory();
    const argv = ['testnet', '--out', 'net', '--import', SAMPLE, '--reference-time', '1724673600'];
    expect((await run(argv, directory)).exit).toBe(0);
    const genesis = unwrap(parseGenesis(await readFile(join(directory, 'net/genesis.json'), 'utf8')));
    expect(genesis.records.length).toBeGreaterThan(30);
  });
});

describe('init and genesis', () => {
  async function registered(directory: string, name: string): Promise<string> {
    const argv = ['init', '--dir', name, '--validator', '--announce', `/dns/${name}.example.org/tcp/4001`];
    const made = await run(argv, directory);
    expect(made.exit).toBe(0);
    expect(made.out).toContain('Send this registration');
    return join(name, 'registration.json');
  }

  test('registrations from separate machines make one genesis', async () => {
    const directory = await temporaryDirectory();
    const files = await Promise.all(['a', 'b', 'c', 'd'].map((name) => registered(directory, name)));
    const made = await run(['genesis', ...files, '--name', 'masa', '--out', 'genesis.json', '--json'], directory);
    expect(made.exit).toBe(0);
    expect(made.json()).toMatchObject({
      validators: 4,
      records: 0,
      chainId: expect.stringMatching(/^masa-[0-9a-f]{32}$/),
    });
    const genesis = unwrap(parseGenesis(await readFile(join(directory, 'genesis.json'), 'utf8')));
    expect(genesis.validators.flatMap(({ multiaddrs }) => multiaddrs).sort()).toEqual(
      ['a', 'b', 'c', 'd'].map((name) => `/dns/${name}.example.org/tcp/4001`),
    );
  });

  test('a registration whose proof is of another peer is refused', async () => {
    const directory = await temporaryDirectory();
    const file = await registered(directory, 'a');
    const registration = JSON.parse(await readFile(join(directory, file), 'utf8')) as object;
    const { peerId } = generateIdentityKey('ed25519');
    await writeFile(join(directory, 'stolen.json'), JSON.stringify({ ...registration, peerId }));
    const made = await run(['genesis', 'stolen.json', '--name', 'x', '--out', 'g.json', '--json'], directory);
    expect([made.exit, made.json()]).toMatchObject([1, { error: { code: 'possession-unproven' } }]);
    await writeFile(join(directory, 'torn.json'), '{"peerId":');
    const torn = await run(['genesis', 'torn.json', '--name', 'x', '--out', 'g.json', '--json'], directory);
    expect(torn.json()).toMatchObject({ error: { code: 'registration-invalid' } });
  });

  test('a genesis that is none leaves no directory behind', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'bad.json'), '{}');
    for (const [file, code] of [
      ['bad.json', 'genesis-malformed'],
      ['none.json', 'genesis-not-found'],
      ['.', 'file-unusable'],
    ] as const) {
      const refused = await run(['init', '--dir', 'me', '--genesis', file, '--json'], directory);
      expect([refused.exit, refused.json()]).toMatchObject([1, { error: { code } }]);
    }
    expect(await readdir(directory)).toEqual(['bad.json']);
  });

  test('an observer keeps the peer id of its masa-oracle key', async () => {
    const directory = await temporaryDirectory();
    const key = generateIdentityKey('secp256k1');
    await saveIdentityKey(join(directory, 'old_key'), key);
    const made = await run(['init', '--dir', 'me', '--identity-key', 'old_key', '--json'], directory);
    expect(made.json()).toMatchObject({ peerId: key.peerId, registration: null });
    const { config } = await loadConfig({ file: 'me/config.json', environment: {}, flags: {}, directory });
    expect((await loadIdentityKey(config)).peerId).toBe(key.peerId);
    const again = await run(['init', '--dir', 'me', '--json'], directory);
    expect(again.json()).toMatchObject({ error: { code: 'directory-exists' } });
  });

  test('an identity key that others can read is not taken over', async () => {
    const directory = await temporaryDirectory();
    await saveIdentityKey(join(directory, 'old_key'), generateIdentityKey('ed25519'));
    await chmod(join(directory, 'old_key'), 0o644);
    const made = await run(['init', '--dir', 'me', '--identity-key', 'old_key', '--json'], directory);
    expect(made.json()).toMatchObject({ error: { code: 'key-file-permissions' } });
  });
});

describe('import', () => {
  const reference = ['--reference-time', '2024-08-26T12:00:00Z'];

  test('reports each record, its verdict and why', async () => {
    const { exit, out } = await run(['import', SAMPLE, ...reference], '/');
    expect(exit).toBe(0);
    expect(out).toMatch(/^ {4}4 {2}valid {7}16Uiu2HAmFGpAmkTbu9G4pZhEgya8VcKZQ3b8V6auszTYXwYygeXA/m);
    expect(out).toMatch(/rejected .*duplicate-peer/);
    expect(out).toMatch(/^59 records: \d+ valid, \d+ normalised, \d+ rejected$/m);
  });

  test('adds the accepted records to a genesis', async () => {
    const directory = await temporaryDirectory();
    await run(['testnet', '--out', 'net', '--validators', '1'], directory);
    const staked = '16Uiu2HAmFGpAmkTbu9G4pZhEgya8VcKZQ3b8V6auszTYXwYygeXA';
    await writeFile(join(directory, 'staked.txt'), `${staked}\n`);
    const more = ['--staked', 'staked.txt', '--genesis', 'net/genesis.json', '--out', 'grown.json', '--json'];
    const imported = await run(['import', SAMPLE, ...reference, ...more], directory);
    expect(imported.exit).toBe(0);
    const genesis = unwrap(parseGenesis(await readFile(join(directory, 'grown.json'), 'utf8')));
    expect(imported.json()).toMatchObject({ chainId: chainIdOf(genesis), records: genesis.records.length });
    expect(genesis.records.filter(({ stake }) => stake?.isStaked).map(({ peerId }) => peerId)).toEqual([staked]);
    const twice = await run(['import', SAMPLE, ...reference, '--genesis', 'grown.json', '--out', 'x.json'], directory);
    expect(twice.exit).toBe(2);
  });

  test('a file that is absent or no list is refused', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'object.json'), '{}');
    expect((await run(['import', 'none.json', '--json'], directory)).json()).toMatchObject({
      error: { code: 'import-not-found' },
    });
    expect((await run(['import', 'object.json', '--json'], directory)).json()).toMatchObject({
      error: { code: 'import-not-a-list' },
    });
    const torn = await run(['import', 'none.json', '--genesis', 'none.json', '--out', 'x', '--json'], directory);
    expect(torn.json()).toMatchObject({ error: { code: 'genesis-not-found' } });
  });
});
