/** `hotledger raft` against real servers behind control sockets; their links and their state machine are of tests. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { refuse } from '../../src/base/result.ts';
import { startControl } from '../../src/node/control.ts';
import { generateIdentityKey, saveIdentityKey, type IdentityKey } from '../../src/node/keys.ts';
import { NamedServers } from '../../src/node/raft/named-servers.ts';
import { ServerOperations } from '../../src/node/raft/operations.ts';
import { raftConfigSchema } from '../../src/node/raft/raft-config.ts';
import type { RunningNode } from '../../src/node/status.ts';
import { NO_VIEWS } from '../node/no-views.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { eventually, TestCluster, type TestServer } from '../node/raft/cluster.ts';
import { startFakeNode, STATUS } from './fake-node.ts';
import { run, type Ran } from './terminal.ts';
import { NO_LEDGER } from './no-ledger.ts';

let cluster: TestCluster;
let operator: IdentityKey;
let place: string;

beforeEach(async () => {
  cluster = await TestCluster.make();
  operator = generateIdentityKey('ed25519');
  place = await temporaryDirectory();
  await saveIdentityKey(join(place, 'operator_key'), operator);
});

afterEach(async () => {
  await cluster.stop();
});

/** A member with a control socket in its data directory. */
async function member(id: string, first: readonly string[] | null): Promise<{ server: TestServer; data: string }> {
  const data = await temporaryDirectory();
  const server = await cluster.start(id, first);
  const named = await NamedServers.open(
    data,
    raftConfigSchema.parse({ transport: 'libp2p', operators: [operator.peerId] }),
  );
  const raft = new ServerOperations({
    server: server.server,
    address: id,
    named,
    begin: async () => refuse('base-exists', 'the ledger has begun already', { index: 4 }),
    nowMs: () => performance.now(),
  });
  const node: RunningNode = {
    ledger: NO_LEDGER,
    raft,
    snapshots: null,
    views: NO_VIEWS,
    listenAddrs: [],
    status: () => STATUS,
    read: () => Promise.resolve(refuse('busy', 'later')),
    onCommit: () => () => undefined,
    stop: () => Promise.resolve(),
    failed: new Promise<never>(() => undefined),
  };
  const end = await startControl({ socket: join(data, 'control.sock'), node, stop: () => undefined });
  onTestFinished(end);
  return { server, data };
}

async function alone(): Promise<{ server: TestServer; data: string }> {
  const a = await member('a', ['a']);
  await cluster.leader();
  for (let i = 0; i < 5; i++) expect(await a.server.server.propose(utf8(`${i}`))).toMatchObject({ ok: true });
  return a;
}

const raft = (words: readonly string[], data: string): Promise<Ran> => run(['raft', ...words, '--data', data], place);

describe('raft status', () => {
  test('prints facts for people, and the whole report as JSON', async () => {
    const { data } = await alone();
    const told = await raft(['status'], data);
    expect(told.exit).toBe(0);
    expect(told.out).toMatch(/^role +leader$/m);
    expect(told.out).toMatch(/^committed +7$/m);
    expect(told.out).toMatch(/^ {2}a +voter at a, leads, this server$/m);
    const report = (await raft(['status', '--json'], data)).json();
    expect(report).toMatchObject({
      role: 'leader',
      commitIndex: 7,
      servers: [{ id: 'a', suffrage: 'voter', follower: null }],
      history: { origin: 'entry' },
      foreign: null,
      list: null,
    });
  });

  test('says so on a node that runs no Raft, and where no node runs', async () => {
    const { directory } = await startFakeNode();
    const told = await raft(['status'], directory);
    expect([told.exit, told.code]).toEqual([1, 'not-a-raft-node']);
    expect(told.err).toContain('docs/configuration.md');
    expect(await raft(['status'], place)).toMatchObject({ exit: 5, code: 'node-not-running' });
  });
});

describe('changes of the cluster', () => {
  test('a server is added without a vote, promoted, demoted and removed', async () => {
    const { data } = await alone();
    await cluster.start('b');
    expect(await raft(['add-nonvoter', 'b', 'b'], data)).toMatchObject({ exit: 0 });
    expect((await raft(['add-voter', 'b', 'b', '--json'], data)).json()).toMatchObject({ kind: 'add-voter', id: 'b' });
    expect((await raft(['status'], data)).out).toMatch(/^ {2}b +voter at b, has \d+, pipeline, heard .* ago$/m);
    expect((await raft(['demote', 'b'], data)).out).toMatch(/^committed +demote b, entry \d+$/m);
    expect(await raft(['remove', 'b'], data)).toMatchObject({ exit: 0 });
    expect((await raft(['status', '--json'], data)).json()).toMatchObject({ servers: [{ id: 'a' }] });
  });

  test('a change that makes no sense is refused with its code, and exits with 4', async () => {
    const { data } = await alone();
    expect(await raft(['remove', 'x'], data)).toMatchObject({ exit: 4, code: 'raft-unknown-server' });
    expect(await raft(['demote', 'a'], data)).toMatchObject({ exit: 4, code: 'raft-configuration-invalid' });
    expect(await raft(['transfer', 'x'], data)).toMatchObject({ exit: 4, code: 'raft-no-such-voter' });
    expect(await raft(['base'], data)).toMatchObject({ exit: 4, code: 'base-exists' });
  });

  test('a server that does not lead names the one that does', async () => {
    const { data } = await alone();
    const b = await member('b', null);
    await raft(['add-voter', 'b', 'b'], data);
    await eventually('b knows the leader', () => b.server.server.status().leader !== null);
    const told = await raft(['remove', 'a'], b.data);
    expect(told).toMatchObject({ exit: 4, code: 'not-leader' });
    expect(told.err).toMatch(/leader=a/);
    expect((await raft(['transfer', '--json'], data)).json()).toEqual({ leader: 'b' });
  });

  test('a snapshot is taken now, once', async () => {
    const { data } = await alone();
    expect((await raft(['snapshot', '--json'], data)).json()).toEqual({ lastIndex: 7, isNew: true });
    expect((await raft(['snapshot'], data)).out).toMatch(/to entry 7, which was there already/);
  });
});

describe("the operator's list", () => {
  test('is signed, shown and taken', async () => {
    const { data } = await alone();
    expect((await raft(['list'], data)).out).toMatch(/no signed list/);
    const sign = ['raft', 'list', 'sign', '--key', 'operator_key', '--out', 'list.json', '--list-version', '2'];
    const signed = await run([...sign, '--server', 'a=a:1,b=b:2'], place);
    expect(signed.exit).toBe(0);
    const taken = await raft(['list', '--take', 'list.json'], data);
    expect(taken.out).toMatch(/^version +2$/m);
    expect(taken.out).toMatch(/^b +b:2$/m);
    await run([...sign.slice(0, -1), '1', '--server', 'a=a:1'], place);
    expect(await raft(['list', '--take', 'list.json'], data)).toMatchObject({ exit: 4, code: 'raft-list-older' });
    const text = await readFile(join(place, 'list.json'), 'utf8');
    await writeFile(join(place, 'list.json'), text.replace('a:1', 'z:1'));
    expect(await raft(['list', '--take', 'list.json'], data)).toMatchObject({ exit: 4, code: 'raft-list-signature' });
    await writeFile(join(place, 'list.json'), 'x');
    expect(await raft(['list', '--take', 'list.json'], data)).toMatchObject({ exit: 4, code: 'raft-list-malformed' });
    expect(await raft(['list', '--take', 'none.json'], data)).toMatchObject({ exit: 4, code: 'raft-list-malformed' });
  });

  test('is kept current by whoever adds and removes servers with its key', async () => {
    const { data } = await alone();
    await cluster.start('b');
    const servers = async () => {
      const { list } = (await raft(['status', '--json'], data)).json() as {
        list: { version: number; servers: readonly { id: string }[] };
      };
      return [list.version, ...list.servers.map(({ id }) => id)];
    };
    const key = ['--operator-key', 'operator_key'];
    expect(await raft(['add-voter', 'b', 'b', ...key], data)).toMatchObject({ exit: 0 });
    expect(await servers()).toEqual([1, 'a', 'b']);
    expect(await raft(['remove', 'b', ...key], data)).toMatchObject({ exit: 0 });
    expect(await servers()).toEqual([2, 'a']);
  });
});

describe('raft join', () => {
  test('makes the node of this machine a member, by way of another member here', async () => {
    const { server, data } = await alone();
    const b = await member('b', null);
    const joined = await raft(['join', '--cluster', 'a', '--via', data, '--json'], b.data);
    expect(joined.json()).toMatchObject({ id: 'b', address: 'b', suffrage: 'voter' });
    await eventually('it has all', () => b.server.machine.hash === server.machine.hash);
    expect(await readFile(join(b.data, 'named.json'), 'utf8')).toContain('"a"');

    // The leader alone is named by hand; the next one may be any server that the member knows.
    const c = await member('c', null);
    expect(await raft(['join', '--cluster', 'a', '--via', data], c.data)).toMatchObject({ exit: 0 });
    expect(await readFile(join(c.data, 'named.json'), 'utf8')).toContain('"b"');
  });

  test('waits for the cluster to take it in, and says for whom', async () => {
    const { server } = await alone();
    const b = await member('b', null);
    const joining = raft(['join', '--cluster', 'a=a', '--nonvoter'], b.data);
    await eventually('it is asked for', () => b.server.server.status().term >= 0);
    await server.server.changeConfiguration({ kind: 'addNonvoter', id: 'b', address: 'b' });
    const joined = await joining;
    expect(joined).toMatchObject({ exit: 0 });
    expect(joined.err).toContain('waiting for the cluster to add b at b');
    expect(joined.out).toMatch(/^member +b at b, nonvoter$/m);
  });

  test('gives up when nobody takes it in', async () => {
    const b = await member('b', null);
    const told = await raft(['join', '--cluster', 'a=a', '--wait', '1ms'], b.data);
    expect([told.exit, told.code]).toEqual([5, 'deadline']);
  });

  test('does not make two clusters one', async () => {
    const { data } = await alone();
    expect(await raft(['join', '--cluster', 'x=x'], data)).toMatchObject({ exit: 1, code: 'raft-log-exists' });
  });
});

test('servers on a command line are written as id=host:port', async () => {
  const sign = ['raft', 'list', 'sign', '--key', 'operator_key', '--out', 'l.json', '--list-version', '2', '--server'];
  for (const server of ['a', '=a:1', 'a=']) expect((await run([...sign, server], place)).exit).toBe(2);
});

test('nothing can be snapshot before anything is applied', async () => {
  const b = await member('b', null);
  expect(await raft(['snapshot'], b.data)).toMatchObject({ exit: 1, code: 'raft-nothing-to-snapshot' });
});

test('recovery needs a configuration of a Raft member', async () => {
  const recover = (config: string) => run(['raft', 'recover', '--server', 'a=a:1', '--config', config], place);
  expect(await recover('none.json')).toMatchObject({ exit: 2, code: 'config-not-found' });
  await writeFile(join(place, 'c.json'), JSON.stringify({ genesis: 'g', dataDirectory: 'd' }));
  expect(await recover('c.json')).toMatchObject({ exit: 1, code: 'not-a-raft-node' });
});
