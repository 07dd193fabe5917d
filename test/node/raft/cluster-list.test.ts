import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/result.ts';
import { generateIdentityKey } from '../../../src/node/keys.ts';
import {
  ClusterListFile,
  signClusterList,
  verifyClusterList,
  type ClusterList,
} from '../../../src/node/raft/cluster-list.ts';
import { NamedServers } from '../../../src/node/raft/named-servers.ts';
import { raftConfigSchema } from '../../../src/node/raft/raft-config.ts';
import { temporaryDirectory } from '../directory.ts';

const operator = generateIdentityKey('ed25519');
const OPERATORS = [operator.peerId];
const LIST: ClusterList = {
  version: 3,
  history: null,
  servers: [
    { id: 'n1', address: '10.0.0.1:4101' },
    { id: 'n2', address: '10.0.0.2:4101' },
  ],
};
const signed = (list: Partial<ClusterList> = {}) => signClusterList({ ...LIST, ...list }, operator);

async function codeOf(value: unknown, operators = OPERATORS): Promise<string> {
  const verified = await verifyClusterList(JSON.parse(JSON.stringify(value)), operators);
  return verified.ok ? 'ok' : verified.refusal.code;
}

describe('a signed list of the cluster', () => {
  test.each(['ed25519', 'secp256k1'] as const)('holds with the signature of an operator (%s)', async (type) => {
    const key = generateIdentityKey(type);
    expect(await codeOf(signClusterList(LIST, key), [operator.peerId, key.peerId])).toBe('ok');
  });

  test('does not hold with anything changed', async () => {
    const list = signed();
    expect(await codeOf({ ...list, version: 4 })).toBe('raft-list-signature');
    expect(await codeOf({ ...list, history: '0'.repeat(64) })).toBe('raft-list-signature');
    expect(await codeOf({ ...list, servers: LIST.servers.slice(1) })).toBe('raft-list-signature');
    expect(await codeOf({ ...list, servers: LIST.servers.toReversed() })).toBe('raft-list-signature');
    expect(await codeOf({ ...list, signature: '' })).toBe('raft-list-signature');
    const [first, second] = LIST.servers;
    expect(await codeOf({ ...list, servers: [{ ...first, address: 'evil:1' }, second] })).toBe('raft-list-signature');
  });

  test('does not hold when somebody else signs', async () => {
    expect(await codeOf(signClusterList(LIST, generateIdentityKey('ed25519')))).toBe('raft-list-signer');
    const stolen = { ...signClusterList(LIST, generateIdentityKey('ed25519')), signer: operator.peerId };
    expect(await codeOf(stolen)).toBe('raft-list-signature');
    expect(await codeOf(signed(), [])).toBe('raft-list-signer');
  });

  test.each([null, [], 'x', {}, { ...signed(), more: 1 }, { ...signed(), version: 0 }, { ...signed(), servers: [{}] }])(
    'is refused when it has another form (%#)',
    async (value) => {
      expect(await codeOf(value)).toBe('raft-list-malformed');
    },
  );
});

describe('the list of a server', () => {
  test('is replaced by a newer one, and is there after a restart', async () => {
    const path = join(await temporaryDirectory(), 'cluster.json');
    const file = await ClusterListFile.open(path, OPERATORS);
    expect(file.list).toBeNull();
    expect(await file.replace(signed())).toMatchObject({ ok: true });
    expect(await file.replace(signed({ version: 2 }))).toMatchObject({
      ok: false,
      refusal: { code: 'raft-list-older', details: { version: 2, present: 3 } },
    });
    expect(await file.replace({ ...signed(), version: 9 })).toMatchObject({ ok: false });
    expect(await file.replace(signed({ version: 4 }))).toMatchObject({ ok: true });
    expect((await ClusterListFile.open(path, OPERATORS)).list).toEqual(signed({ version: 4 }));
  });

  test('does not open when it was changed on the disk', async () => {
    const path = join(await temporaryDirectory(), 'cluster.json');
    await (await ClusterListFile.open(path, OPERATORS)).replace(signed());
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('10.0.0.2', '10.0.0.3'));
    await expect(ClusterListFile.open(path, OPERATORS)).rejects.toMatchObject({ code: 'raft-list-signature' });
    await writeFile(path, text.slice(5));
    await expect(ClusterListFile.open(path, OPERATORS)).rejects.toMatchObject({ code: 'raft-list-malformed' });
  });
});

test('those who are taken at their word are of the configuration, of the signed list, and named on this machine', async () => {
  const directory = await temporaryDirectory();
  const config = raftConfigSchema.parse({
    transport: 'libp2p',
    cluster: [{ id: 'n3', address: 'c:3' }],
    operators: OPERATORS,
  });
  const named = await NamedServers.open(directory, config);
  unwrap(await named.list.replace(signed()));
  await named.name([{ id: 'n4', address: 'd:4' }]);
  await named.name([
    { id: 'n4', address: 'd:5' },
    { id: 'n5', address: 'e:5' },
  ]);
  const again = await NamedServers.open(directory, config);
  for (const servers of [named, again])
    expect(servers.all().map(({ address, id }) => `${id}=${address}`)).toEqual([
      ...['n4=d:5', 'n5=e:5', 'n3=c:3'],
      ...['n1=10.0.0.1:4101', 'n2=10.0.0.2:4101'],
    ]);
  await writeFile(join(directory, 'named.json'), '{"servers":[{}]}');
  await expect(NamedServers.open(directory, config)).rejects.toMatchObject({ code: 'raft-list-malformed' });
});
