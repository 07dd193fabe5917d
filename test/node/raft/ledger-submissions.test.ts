import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeKey } from '../../../src/ledger/state.ts';
import { legacyCommand } from '../../ledger/raft-cluster.ts';
import { codeOf } from '../../ledger/nodes.ts';
import { eventually } from './cluster.ts';
import { Author, LedgerCluster, type LedgerMember } from './ledger-cluster.ts';

let cluster: LedgerCluster;

beforeEach(async () => {
  cluster = await LedgerCluster.make();
});
afterEach(() => cluster.stop());

const othersThan = (leader: LedgerMember) => [...cluster.members.values()].filter((member) => member !== leader);

/** Every member has the same blocks and the same state, and none has stopped. */
async function expectOneLedger(): Promise<void> {
  const members = await cluster.settled();
  const [one, ...others] = members as [LedgerMember, ...LedgerMember[]];
  for (const other of others) expect(other.ledger.stateRoot).toBe(one.ledger.stateRoot);
  for (const { fatal } of members) expect(fatal).toEqual([]);
  await eventually('the same last block in the logs of all', () => {
    const heads = members.map(({ ledger }) => ledger.ledger?.log.head().blockId);
    return new Set(heads).size === 1;
  });
}

describe('a member that leads', () => {
  test('acknowledges events with the height of their block, which is the same on all members', async () => {
    const leader = await cluster.startThree();
    const authors = Array.from({ length: 20 }, () => new Author(cluster));
    const answers = await Promise.all(authors.map((author) => leader.submissions.submissions.submit(author.joins())));
    for (const answer of answers) expect(answer.ok && answer.value.height).toBeGreaterThan(0);
    const heights = new Set(answers.map((answer) => answer.ok && answer.value.height));
    expect(heights.size).toBeLessThan(authors.length);
    await expectOneLedger();
    for (const { ledger } of cluster.members.values()) {
      for (const { peerId } of authors) expect(ledger.ledger?.machine.get(nodeKey(peerId))).toBeDefined();
    }
  });

  test('checks each signature once, and the others none', async () => {
    const leader = await cluster.startThree();
    const event = new Author(cluster).joins();
    const { submissions } = leader.submissions;
    await Promise.all([submissions.submit(event), submissions.submit(event)]);
    await expectOneLedger();
    expect([leader, ...othersThan(leader)].map(({ verifier }) => verifier.checks)).toEqual([1, 0, 0]);
  });

  test('refuses at once what does not apply, and answers what is committed again as it was', async () => {
    const leader = await cluster.startThree();
    const { submissions } = leader.submissions;
    const author = new Author(cluster);
    expect(codeOf(await submissions.submit(author.leaves()))).toBe('not-joined');
    const joined = author.joins();
    expect(codeOf(await submissions.submit(joined))).toBe('applied');
    expect(await submissions.submit(joined)).toMatchObject({ ok: true, value: { event: joined.id, height: null } });
    const forged = { ...author.leaves(), signature: new Author(cluster).joins().signature };
    expect(codeOf(await submissions.submit(forged))).toBe('signature-invalid');
    await expectOneLedger();
  });

  test('takes no events before BASE, and commands of the older system all along', async () => {
    const ids = ['a', 'b', 'c'];
    for (const id of ids) await cluster.start(id, ids);
    const leader = await cluster.leader();
    expect(codeOf(await leader.submissions.submissions.submit(new Author(cluster).joins()))).toBe('before-base');
    expect(codeOf(await leader.server.propose(legacyCommand('colour', '"blue"')))).toBe('applied');
    await cluster.writeBase(leader);
    expect(codeOf(await leader.server.propose(legacyCommand('colour', '"red"')))).toBe('applied');
    await expectOneLedger();
  });
});

describe('a member that does not lead', () => {
  test('refuses with the name of the one that does, and answers for what is committed', async () => {
    const leader = await cluster.startThree();
    const [follower] = othersThan(leader) as [LedgerMember];
    const event = new Author(cluster).joins();
    await eventually('a follower that knows its leader', () => follower.server.status().leader !== null);
    expect(await follower.submissions.submissions.submit(event)).toMatchObject({
      ok: false,
      refusal: { code: 'not-leader', details: { leader: leader.id, address: leader.id } },
    });
    await leader.submissions.submissions.submit(event);
    await expectOneLedger();
    await eventually('the follower has written it', () => follower.ledger.ledger?.machine.unsettled().size === 0);
    expect(codeOf(await follower.submissions.submissions.submit(event))).toBe('applied');
  });
});

describe('an event whose leader was cut off', () => {
  test('has an unknown fate, and sent again to the next leader is applied once', async () => {
    const old = await cluster.startThree();
    const author = new Author(cluster);
    await old.submissions.submissions.submit(author.joins());
    await expectOneLedger();
    cluster.network.cut(old.id);
    const event = author.joins({ version: 'v2' });
    const lost = old.submissions.submissions.submit(event);
    const next = await eventually('another leader', () =>
      othersThan(old).find(({ server }) => server.status().role === 'leader'),
    );
    expect(codeOf(await lost)).toBe('leadership-lost');
    expect(codeOf(await next.submissions.submissions.submit(event))).toBe('applied');
    cluster.network.heal();
    expect(codeOf(await next.submissions.submissions.submit(event))).toBe('applied');
    await expectOneLedger();
    const { ledger } = next.ledger;
    const blocks = Array.from({ length: (ledger?.log.head().height ?? 0) + 1 }, (_, height) =>
      ledger?.log.sealedBlockAt(height),
    );
    const ids = blocks.flatMap((sealed) => sealed?.block.events.map(({ id }) => id) ?? []);
    expect(ids.filter((id) => id === event.id)).toHaveLength(1);
  });

  test('that was written all the same is in one block, however often it is sent', async () => {
    const leader = await cluster.startThree();
    const author = new Author(cluster);
    const event = author.joins();
    // Two commands with one event: what a submitter causes that asks two leaders.
    const settled = await Promise.all([
      leader.server.propose(cluster.command(event)),
      leader.server.propose(cluster.command(event)),
    ]);
    const outcomes = settled.map((each) =>
      each.ok && each.value.outcome.kind === 'block' ? each.value.outcome : null,
    );
    expect(outcomes.map((outcome) => outcome?.events[0]?.refusal?.code)).toEqual([undefined, 'already-applied']);
    await expectOneLedger();
  });
});

test('a blank member is brought up by a snapshot, from BASE on, and goes on with the others', async () => {
  await cluster.stop();
  cluster = await LedgerCluster.make({ trailingEntries: 0 });
  const leader = await cluster.startThree();
  const authors = Array.from({ length: 5 }, () => new Author(cluster));
  for (const author of authors) await leader.submissions.submissions.submit(author.joins());
  expect(await leader.server.snapshot()).not.toBeNull();
  const blank = await cluster.start('d');
  const added = await leader.server.changeConfiguration({ kind: 'addNonvoter', id: 'd', address: 'd' });
  expect(added.ok).toBe(true);
  await leader.submissions.submissions.submit((authors[0] as Author).leaves());
  await expectOneLedger();
  expect(blank.ledger.ledger?.firstHeight).toBeGreaterThan(0);
});
