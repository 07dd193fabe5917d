import { beforeEach, describe, expect, test } from 'vitest';
import { ok, refuse, type Result } from '../../src/base/result.ts';
import type { SignedEvent } from '../../src/ledger/event.ts';
import { answersTo } from '../../src/node/submission-service.ts';
import type { Acknowledged, Submissions } from '../../src/node/submissions.ts';
import { CHAIN_ID } from '../ledger/nodes.ts';
import { JOINED, testNode } from './signed.ts';

let seen: { readonly id: string; readonly until: string | undefined }[];
let answer: (event: SignedEvent) => Promise<Result<Acknowledged>>;

beforeEach(() => {
  seen = [];
  answer = ({ id }) => Promise.resolve(ok({ event: id, height: 7 }));
});

const submissions: Pick<Submissions, 'submit'> = {
  submit(event, until) {
    seen.push({ id: event.id, until });
    return answer(event);
  },
};

const answersFor = (peer: string, submission: Parameters<typeof answersTo>[2]) =>
  answersTo(CHAIN_ID, peer, submission, submissions);

describe('a JSON submission', () => {
  test('by the node itself is answered with its height', async () => {
    const node = testNode(CHAIN_ID);
    const { id, submission } = node.own(JOINED);
    expect(await answersFor(node.peerId, { kind: 'json', value: submission })).toEqual([
      { kind: 'acknowledged', height: 7 },
    ]);
    expect(seen).toEqual([{ id, until: undefined }]);
  });

  test('by another peer is refused as `peer-mismatch`, whatever its signature', async () => {
    const node = testNode(CHAIN_ID);
    const other = testNode(CHAIN_ID);
    const { submission } = node.own(JOINED);
    expect(await answersFor(other.peerId, { kind: 'json', value: submission })).toMatchObject([
      { kind: 'refused', refusal: { code: 'peer-mismatch', details: { eventPeerId: node.peerId } } },
    ]);
    expect(seen).toEqual([]);
  });

  test.each([
    ['signature-required', (value: object) => ({ ...value, signature: undefined })],
    ['field-not-yours', (value: { event: object }) => ({ ...value, event: { ...value.event, isStaked: true } })],
  ])('that is malformed is refused as `%s`', async (code, spoil) => {
    const node = testNode(CHAIN_ID);
    const value = spoil(node.own(JOINED).submission);
    expect(await answersFor(node.peerId, { kind: 'json', value })).toMatchObject([{ refusal: { code } }]);
    expect(seen).toEqual([]);
  });
});

describe('a binary submission', () => {
  test('is answered event by event in their order, whoever relays them and however they end', async () => {
    const nodes = Array.from({ length: 100 }, () => testNode(CHAIN_ID));
    const events = nodes.map((node) => node.own(JOINED));
    const slow = new Set(events.filter((_, i) => i % 3 === 0).map(({ id }) => id));
    answer = async ({ id }) => {
      if (slow.has(id)) await new Promise((resolve) => setImmediate(resolve));
      return slow.has(id) ? refuse('superseded', 'text') : ok({ event: id, height: 3 });
    };
    const encoded = events.map(({ bytes }, i) => (i === 50 ? Uint8Array.of(0xc0) : bytes));
    const answers = await answersFor('a relay', { kind: 'binary', acknowledge: 'committed', events: encoded });
    expect(answers.map((one) => (one.kind === 'refused' ? one.refusal.code : one.height))).toEqual(
      events.map((_, i) => (i === 50 ? 'undecodable' : i % 3 === 0 ? 'superseded' : 3)),
    );
  });

  test('passes on what is to be waited for', async () => {
    const { bytes, id } = testNode(CHAIN_ID).own(JOINED);
    await answersFor('a relay', { kind: 'binary', acknowledge: 'accepted', events: [bytes] });
    expect(seen).toEqual([{ id, until: 'accepted' }]);
  });
});
