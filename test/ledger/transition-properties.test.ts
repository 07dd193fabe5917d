import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import type { Result } from '../../src/base/result.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import type { QuorumAction } from '../../src/ledger/event-schema.ts';
import { decodeOwnEntry } from '../../src/ledger/known-entries.ts';
import { nodeEntryCodec, openUptimeSeconds, type NodeRecord } from '../../src/ledger/record.ts';
import { NODE_KEY_PREFIX, nodeKey, type StateChange } from '../../src/ledger/state.ts';
import { applyEvent } from '../../src/ledger/transition.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { eventOf, joinedFields, peerOf, TestChain, type EventFields } from './nodes.ts';

const NODES = [1, 2, 3].map((number) => peerOf(number));
const VALIDATORS = [100, 101, 102, 103].map((number) => peerOf(number));
const EVERYBODY = [...NODES, ...VALIDATORS];

/** One step of a random history; numbers choose among what is possible then. */
interface Step {
  readonly type: (typeof TYPES)[number];
  readonly signer: number;
  readonly about: number;
  readonly action: number;
  /** Steps of the sequence: sometimes back. */
  readonly seqStep: number;
  readonly seconds: number;
  /** From block time to the event's. */
  readonly skewSeconds: number;
}

const TYPES = ['joined', 'left', 'heartbeat', 'addressesChanged', 'versionChanged', 'proposed', 'approved'] as const;

const steps = fc.array(
  fc.record<Step>({
    type: fc.constantFrom(...TYPES, 'joined', 'heartbeat', 'approved', 'approved', 'approved', 'approved'),
    signer: fc.nat({ max: EVERYBODY.length - 1 }),
    about: fc.nat({ max: EVERYBODY.length - 1 }),
    action: fc.nat({ max: 3 }),
    seqStep: fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 5, 0, -1),
    seconds: fc.constantFrom(0, 0, 0, 1, 1, 100, 1200, 3600, 3601, 50_000),
    skewSeconds: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, -600, 600, -700, 700),
  }),
  { minLength: 30, maxLength: 60 },
);

class History {
  readonly chain = new TestChain(VALIDATORS);
  readonly proposals: Hash[] = [];

  eventOf(step: Step): VerifiedEvent {
    const { chain } = this;
    const validator = step.type === 'proposed' || step.type === 'approved';
    const signers = validator ? VALIDATORS : EVERYBODY;
    const peerId = signers[step.signer % signers.length] as string;
    const seq = Math.max(1, (chain.entry(peerId)?.lastSeq ?? 0) + step.seqStep);
    const base = { peerId, seq, time: chain.now + step.skewSeconds };
    return eventOf({ ...base, ...this.#fields(step, joinedFields(peerId, seq)) });
  }

  #fields(step: Step, joined: EventFields): { readonly type: string } & Readonly<Record<string, unknown>> {
    switch (step.type) {
      case 'joined':
        return { ...joined, time: this.chain.now + step.skewSeconds };
      case 'left':
      case 'heartbeat':
        return { type: step.type };
      case 'addressesChanged':
        return { type: step.type, multiaddrs: [`/ip4/10.0.0.${step.about}/tcp/1`] };
      case 'versionChanged':
        return { type: step.type, version: `v${step.about}` };
      case 'proposed': {
        const action = actionOf(step);
        const replaced: Result<Hash> = replacedDigest(this.chain, action);
        const replaces = replaced.ok ? replaced.value : ZERO_HASH;
        return { type: step.type, action, epoch: 0, replaces, expires: this.chain.now + 5000 };
      }
      case 'approved':
        return { type: step.type, proposal: this.proposals.at(step.about < 5 ? -1 : -2) ?? ZERO_HASH };
    }
  }

  /** Applies a step in a block of its own. */
  take(step: Step): { event: VerifiedEvent; result: Result<readonly StateChange[]> } {
    this.chain.now += step.seconds;
    const event = this.eventOf(step);
    const result = applyEvent(this.chain, event, this.chain.context);
    if (result.ok && step.type === 'proposed') this.proposals.push(event.id);
    return { event, result };
  }
}

function actionOf({ about, action }: Step): QuorumAction {
  const peerId = EVERYBODY[about] as string;
  switch (action) {
    case 0:
      return { kind: 'stakeStatusChanged', peerId, isStaked: about % 2 === 0, reference: 'x' };
    case 1:
      return { kind: 'nodeRemoved', peerId, reason: 'x' };
    case 2:
      return { kind: 'workerTimeoutSet', peerId, workerTimeout: about };
    default:
      return { kind: 'parametersChanged', parameters: { livenessWindowSeconds: 600 * (1 + about) } };
  }
}

function recordsOf(chain: TestChain): NodeRecord[] {
  return EVERYBODY.map((peerId) => chain.entry(peerId)).filter(
    (entry): entry is NodeRecord => entry?.kind === 'record',
  );
}

describe('any history of events', () => {
  it('keeps the times of every record in order, and its uptime within them', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        for (const step of history) {
          const { result } = take(step);
          if (result.ok) chain.commit(result.value);
          for (const record of recordsOf(chain)) {
            const { firstJoined, lastJoined, lastHeard, lastUpdated, closedUptimeNs } = record;
            expect([firstJoined, lastJoined, lastHeard, lastUpdated]).toEqual(
              [firstJoined, lastJoined, lastHeard, lastUpdated].sort((a, b) => a - b),
            );
            expect(lastUpdated).toBeLessThanOrEqual(chain.now);
            const uptimeNs = closedUptimeNs + BigInt(openUptimeSeconds(record)) * 1_000_000_000n;
            expect(uptimeNs <= BigInt(lastUpdated - firstJoined) * 1_000_000_000n).toBe(true);
          }
        }
      }),
    );
  });

  it('gives the same changes twice, and changes nothing that it was given', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        for (const step of history) {
          const before = structuredClone([...chain.entries]);
          const { event, result } = take(step);
          const given = structuredClone({ json: event.json, bytes: event.bytes, event: event.event });
          expect(applyEvent(chain, event, chain.context)).toEqual(result);
          expect([...chain.entries]).toEqual(before);
          expect({ json: event.json, bytes: event.bytes, event: event.event }).toEqual(given);
          if (result.ok) chain.commit(result.value);
        }
      }),
    );
  });

  it("changes a node's record by its own events and by decisions of a quorum, and by nothing else", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        for (const step of history) {
          const { event, result } = take(step);
          if (!result.ok) continue;
          for (const { key } of result.value.filter((change) => change.key.startsWith(NODE_KEY_PREFIX))) {
            // A third party's event reaches another's record only as the approval that made a quorum.
            if (key !== nodeKey(event.event.peerId)) expect(event.event.type).toBe('approved');
          }
          chain.commit(result.value);
        }
      }),
    );
  });

  it('is remembered as what its bytes decode to', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        for (const step of history) {
          const { result } = take(step);
          if (!result.ok) continue;
          for (const { key, value } of result.value) {
            if (value === undefined || !key.startsWith(NODE_KEY_PREFIX)) continue;
            expect(decodeOwnEntry(value)).toStrictEqual(nodeEntryCodec.decodeOwn(value));
          }
          chain.commit(result.value);
        }
      }),
    );
  });

  it('never lets the number of a node go back, through removal and all', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        const last = new Map<string, number>();
        for (const step of history) {
          const { event, result } = take(step);
          if (result.ok) {
            expect(event.event.seq).toBeGreaterThan(last.get(event.event.peerId) ?? 0);
            last.set(event.event.peerId, event.event.seq);
            chain.commit(result.value);
          }
          for (const [peerId, seq] of last) expect(chain.entry(peerId)?.lastSeq).toBe(seq);
        }
      }),
    );
  });

  it('reaches decisions, removals and refusals of every kind of sequence: the test sees what it is about', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(steps, (history) => {
        const { chain, take } = bound(new History());
        for (const step of history) {
          const { event, result } = take(step);
          seen.add(result.ok ? event.event.type : result.refusal.code);
          if (!result.ok) continue;
          if (result.value.some(({ key, value }) => value !== undefined && decided(event, key, value)))
            seen.add('decided');
          chain.commit(result.value);
        }
      }),
      { numRuns: 300 },
    );
    const expected = [...TYPES, 'decided', 'superseded', 'sequence-conflict', 'expired', 'time-ahead', 'not-joined'];
    expect([...expected, 'heartbeat-too-soon', 'already-approved'].filter((name) => !seen.has(name))).toEqual([]);
  });
});

function decided(event: VerifiedEvent, key: string, value: Uint8Array): boolean {
  if (!key.startsWith(NODE_KEY_PREFIX) || key === nodeKey(event.event.peerId)) return false;
  return nodeEntryCodec.decode(value).ok;
}

function bound(history: History): { chain: TestChain; take: History['take'] } {
  return { chain: history.chain, take: (step) => history.take(step) };
}
