/** What a member says of itself while it is ahead of its disk: of the ledger it tells what can be read. */
import { expect, test } from 'vitest';
import { ZERO_HASH } from '../../../src/base/hash.ts';
import { beginLedger } from '../../../src/node/raft/ledger-begin.ts';
import { memberStatus } from '../../../src/node/raft/member-status.ts';
import type { RaftServerStatus } from '../../../src/node/raft/raft-server.ts';
import type { Host } from '../../../src/net/host.ts';
import type { NodeStatus } from '../../../src/node/status.ts';
import { ENTRY_TYPES } from '../../../src/raft/messages.ts';
import { Cluster } from '../../ledger/raft-cluster.ts';
import { entry, Member } from './member.ts';

test('there is no ledger until BASE is on the disk, and no second BASE once it is applied', async () => {
  const cluster = new Cluster();
  const member = await Member.open(cluster);
  const base = [entry(1, ENTRY_TYPES.noop, cluster.baseData())];
  const application = member.applyInMemory(base);
  expect(member.ledger.ledger).toBeNull();
  expect(statusOf(cluster, member)).toMatchObject({ height: 0, headId: ZERO_HASH, oldestBlock: 0 });
  const server = { barrier: async () => ({ ok: true, value: 1 }) as const, proposeWith: unexpected };
  expect(await beginLedger(server, member.ledger, () => 0)).toMatchObject({ refusal: { code: 'base-exists' } });
  await member.write(base, application);
  const { id, header } = member.told[0]!.block;
  expect(statusOf(cluster, member)).toMatchObject({ height: 0, headId: id, stateRoot: header.stateRoot });
});

test('height, id and state root are those of one block, the last on the disk', async () => {
  const cluster = new Cluster();
  const member = await Member.open(cluster);
  await member.apply([entry(1, ENTRY_TYPES.noop, cluster.baseData())]);
  const { id, header } = member.told[0]!.block;
  const next = [entry(2, ENTRY_TYPES.command, cluster.command(cluster.join(1)))];
  const application = member.applyInMemory(next);
  expect(member.ledger.stateRoot).not.toBe(header.stateRoot);
  expect(statusOf(cluster, member)).toMatchObject({ height: 0, headId: id, stateRoot: header.stateRoot });
  await member.write(next, application);
  expect(statusOf(cluster, member)).toMatchObject({ height: 1, stateRoot: member.ledger.stateRoot });
});

function statusOf(cluster: Cluster, { ledger }: Member): NodeStatus {
  const raft: Partial<RaftServerStatus> = {
    term: 1,
    role: 'follower',
    self: 'a',
    leader: null,
    lastIndex: 1,
    commitIndex: 1,
    proposalsWaiting: 0,
    configuration: { index: 0, configuration: { servers: [] } },
    foreign: null,
  };
  const host: Partial<Host> = { connections: () => [], addresses: () => [] };
  return memberStatus({
    chainId: ledger.chainId,
    genesisSchema: 1,
    peerId: cluster.validators.members[0]!.peerId,
    validators: cluster.validators,
    host: host as Host,
    ledger,
    raft: raft as RaftServerStatus,
    startedAtMs: 0,
    nowMs: 0,
    commits: 0,
    eventsCommitted: 0,
    projections: { projections: [], rebuild: null, rebuildFailure: null },
  });
}

function unexpected(): never {
  throw new Error('nothing is proposed');
}
