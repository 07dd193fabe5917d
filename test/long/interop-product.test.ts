/**
 * The program as its operator runs it, in a running cluster of hashicorp/raft over TCP: its configuration, its commands and
 * its processes, from the first server that joins to the ledger that begins when the last Go server has gone.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { ConfigFile } from '../../src/node/config-schema.ts';
import type { RaftReport } from '../../src/node/raft/operations.ts';
import { TestNetwork, type CommandResult } from '../e2e/harness.ts';
import { lightReader } from '../e2e/history.ts';
import { authors, Submitters } from '../e2e/load.ts';
import { raftLeaderOf } from '../e2e/raft-leader.ts';
import { eventually } from '../eventually.ts';
import { Cluster, write } from '../interop/cluster.ts';
import { needsGo } from '../interop/go-build.ts';
import { freePort } from '../interop/ports.ts';
import { peerOf } from '../ledger/nodes.ts';
import { legacyCommand, nodeDataJson } from '../ledger/raft-cluster.ts';

/** Ids that are no peer ids, as Go programs give them. */
const idOf = (name: string): string => name.replace('validator-', 'hot');

/** So long that processes which start beside it cost no leader its lease; where one is lost, a Go server is the next. */
const GO_TIMINGS = { heartbeatMs: 1_500, electionMs: 1_500, leaseMs: 1_400, commitMs: 10 };
const RAFT: ConfigFile['raft'] = { heartbeatMs: 3_000, electionMs: 3_000, leaseMs: 2_500, trailingEntries: 5 };

async function newcomers(): Promise<TestNetwork> {
  const network = await TestNetwork.make({ validators: 3, observers: 0 });
  for (const name of network.names()) {
    const { configFile } = network.node(name);
    const config = JSON.parse(await readFile(configFile, 'utf8')) as ConfigFile;
    const listen = `127.0.0.1:${await freePort()}`;
    const raft = { ...RAFT, id: idOf(name), listen };
    await writeFile(configFile, JSON.stringify({ ...config, raft }));
  }
  return network;
}

const report = (network: TestNetwork, name: string): Promise<RaftReport> => network.process(name).control.raftReport();

/** A command of the operator of this member. */
async function raft(network: TestNetwork, name: string, ...words: readonly string[]): Promise<CommandResult> {
  const result = await network.run('raft', ...words, '--config', network.node(name).configFile);
  expect(result, `raft ${words.join(' ')}: ${result.err}`).toMatchObject({ exit: 0 });
  return result;
}

/** The servers of the configuration, as a member sees them. */
async function membersSeenBy(network: TestNetwork, name: string): Promise<readonly string[]> {
  const { servers } = await report(network, name);
  return servers.map(({ id, suffrage }) => `${id} ${suffrage}`).sort();
}

describe.runIf(needsGo())('the program among Go servers', () => {
  test('joins by its command, is killed, leads, takes its like in and the Go servers out, and begins the ledger', async () => {
    const cluster = await Cluster.ofGo(3, { machine: 'kv', trailing: 5, timings: GO_TIMINGS });
    const go = [...cluster.peers];
    const network = await newcomers();
    const [first = '', second = '', third = ''] = network.names();
    const goLeader = await cluster.leader();
    for (let i = 1; i <= 20; i++) await write(goLeader, legacyCommand(peerOf(i), nodeDataJson(i), 'updateNodeData'));
    await goLeader.admin.snapshot();

    // It waits for the Go operator, as the page says.
    await network.startNodes([first]);
    const named = go.map(({ address, id }) => `${id}=${address}`).join(',');
    const joining = raft(network, first, 'join', '--cluster', named, '--json');
    const { self } = await report(network, first);
    await goLeader.admin.addVoter(self.id, self.address);
    expect((await joining).json()).toMatchObject({ id: 'hot1', suffrage: 'voter' });

    // Needed by the quorum of four; killed with -9 when it is not, and back on its disk.
    const other = go.find((peer) => peer !== goLeader)!;
    await other.kill();
    await write(goLeader, legacyCommand('needed', '1'));
    await other.start();
    await cluster.agree(go);
    await network.kill(first);
    const written = await write(goLeader, legacyCommand('meanwhile', '2'));
    await network.startNodes([first]);
    await eventually(`${first} has applied it`, async () => {
      return (await report(network, first)).appliedIndex >= written || undefined;
    });

    // Handed leadership by Go, it leads Go followers, and its like joins by it.
    await goLeader.admin.transfer(self);
    await eventually(`${first} leads`, async () => (await report(network, first)).role === 'leader' || undefined);
    for (const name of [second, third]) {
      await network.startNodes([name]);
      const via = ['--cluster', `hot1=${self.address}`, '--via', network.node(first).dataDirectory];
      await raft(network, name, 'join', ...via);
    }
    expect(await membersSeenBy(network, first)).toEqual(
      ['go1', 'go2', 'go3', 'hot1', 'hot2', 'hot3'].map((id) => `${id} voter`),
    );
    await raft(network, first, 'snapshot');

    // Killed as the leader of Go followers: another leads, and it comes back.
    await network.kill(first);
    await eventually('another leads', async () => {
      const reports = await Promise.all([second, third].map((name) => report(network, name)));
      return reports.some(({ leader }) => leader !== null && leader.id !== 'hot1') || undefined;
    });
    await network.startNodes([first]);

    // The Go servers go one at a time; whoever leads is asked to hand over first.
    const leads = async (name: string): Promise<boolean> => (await report(network, name)).role === 'leader';
    await eventually(`${second} leads`, async () => {
      if (await leads(second)) return true;
      for (const name of [first, third]) if (await leads(name)) await raft(network, name, 'transfer', 'hot2');
      for (const peer of go) {
        const { role } = await peer.admin.status();
        if (role === 'Leader') await peer.admin.transfer((await report(network, second)).self);
      }
      return undefined;
    });
    for (const { id } of go) await raft(network, second, 'remove', id);
    expect(await membersSeenBy(network, second)).toEqual(['hot1 voter', 'hot2 voter', 'hot3 voter']);
    await Promise.all(go.map((peer) => peer.kill()));

    await raft(network, second, 'base');
    const leader = await raftLeaderOf(network, network.names());
    const [author] = authors(network.chainId, 1);
    const { height, seq } = await new Submitters(network).acknowledged(leader, author!.next());

    // Any member answers a read that takes no old answer, whatever the members are called.
    for (const name of network.names()) {
      const reader = await lightReader(network, [name], 'crash-only');
      const fresh = { maxAgeMs: 60_000, timeoutMs: 20_000 };
      expect(unwrap(await reader.read(author!.key.peerId, fresh)), name).toMatchObject({ lastSeq: seq, height });
      expect(unwrap(await reader.read(peerOf(7), fresh)), name).toMatchObject({
        origin: 'import',
        trust: 'crash-only',
      });
    }
  });
});
