/** Event schemas: the forms of events, the step from each to the next, and the height from which one is in force. */
import { describe, expect, it, test } from 'vitest';
import { sha256Hex, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import { decodeSignedEvent, signedEventFromJson } from '../../src/ledger/event.ts';
import {
  checkSchemaKnown,
  eventSchemaAt,
  MAX_ACTIVATION_NOTICE,
  MIN_ACTIVATION_NOTICE,
  schemaActivationCodec,
} from '../../src/ledger/event-schema-at.ts';
import { NEWEST_EVENT_SCHEMA } from '../../src/ledger/newest-schema.ts';
import { upcast } from '../../src/ledger/upcast.ts';
import { MAX_UNCOMMITTED_BLOCKS, type Execution } from '../../src/ledger/machine.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { Replay } from '../../src/ledger/replay.ts';
import { SCHEMA_KEY } from '../../src/ledger/state.ts';
import { upcastTo2 } from '../../src/ledger/upcast-to-2.ts';
import { SealedChain } from './chain.ts';
import {
  CHAIN_ID,
  codeOf,
  eventOf,
  joinedFields,
  NO_CAPABILITIES,
  peerOf,
  START,
  submissionOf,
  TestChain,
} from './nodes.ts';

const VALIDATORS = [100, 101, 102, 103].map((number) => peerOf(number)).sort();
const alice = peerOf(1);
const LLM = { schema: 2, isLlmServer: true };

const read = (fields: Parameters<typeof submissionOf>[0]) => signedEventFromJson(CHAIN_ID, submissionOf(fields));

describe('an event', () => {
  it('of the first form is read as one of the newest, and stays what it was signed as', () => {
    const event = eventOf(joinedFields(alice, 1, { isWebScraper: true }));
    expect(event).toMatchObject({ schema: 1, event: { isWebScraper: true, isLlmServer: false } });
    expect(new TextDecoder().decode(event.json)).not.toContain('Llm');
    expect(unwrap(decodeSignedEvent(CHAIN_ID, event.bytes))).toEqual(event);
  });

  it('of a newer form says so, and says what that form says', () => {
    expect(eventOf(joinedFields(alice, 1, LLM))).toMatchObject({ schema: 2, event: { isLlmServer: true } });
    const declared = { type: 'capabilitiesDeclared', peerId: alice, seq: 2, ...NO_CAPABILITIES };
    expect(eventOf({ ...declared, ...LLM, isLlmServer: false })).toMatchObject({
      schema: 2,
      event: { isLlmServer: false },
    });
    expect(codeOf(read({ ...declared, schema: 2 }))).toBe('field-missing');
    expect(codeOf(read({ ...declared, isLlmServer: true }))).toBe('unknown-field');
  });

  it.each([
    ['a schema that goes without saying', 'left', 1, 'field-invalid'],
    ['no number of a schema', 'left', '2', 'field-invalid'],
    ['a schema that gave its type no form', 'left', 2, 'event-form-unknown'],
    ['a schema that this program does not know', 'left', NEWEST_EVENT_SCHEMA + 1, 'schema-not-known'],
    ['a type that only a newer program knows', 'moved', NEWEST_EVENT_SCHEMA + 1, 'schema-not-known'],
    ['a type that nobody knows', 'moved', 2, 'unknown-type'],
  ])('with %s is refused', (_, type, schema, code) => {
    expect(codeOf(read({ type, peerId: alice, seq: 1, schema }))).toBe(code);
  });

  it('is carried over step by step, and what no step changed is the same object', () => {
    const base = { peerId: alice, seq: 1, time: START };
    const heartbeat = { type: 'heartbeat', ...base } as const;
    expect(upcastTo2(heartbeat)).toBe(heartbeat);
    const declared = { type: 'capabilitiesDeclared', ...base, ...NO_CAPABILITIES } as const;
    expect(upcastTo2(declared)).toEqual({ ...declared, isLlmServer: false });
    expect(upcast(declared, 1)).toEqual(upcastTo2(declared));
    const newest = { ...declared, isLlmServer: true };
    expect(upcast(newest, NEWEST_EVENT_SCHEMA)).toBe(newest);
  });
});

describe('a record', () => {
  const bytesOf = (ledger: TestChain) => nodeEntryCodec.encode(ledger.record(alice));

  it('has the bytes that it had until an event says what the first schema could not', () => {
    const ledger = new TestChain(VALIDATORS, { eventSchema: 2 });
    const older = new TestChain(VALIDATORS);
    for (const chain of [ledger, older]) unwrap(chain.apply(joinedFields(alice, 1)));
    expect(bytesOf(ledger)).toEqual(bytesOf(older));
    // As programs before schema 2 wrote it.
    expect(sha256Hex(bytesOf(older))).toBe(OLD_BYTES);
    const declared = { type: 'capabilitiesDeclared', peerId: alice, ...NO_CAPABILITIES };
    unwrap(ledger.apply({ ...declared, ...LLM, seq: 2 }));
    expect(ledger.record(alice).isLlmServer).toBe(true);
    expect(bytesOf(ledger)[1]).toBe(2);
    // A program that cannot say it does not do it.
    unwrap(ledger.apply({ ...declared, seq: 3 }));
    expect(ledger.record(alice).isLlmServer).toBe(false);
    expect(bytesOf(ledger)[1]).toBe(0);
  });

  it('has one encoding', () => {
    const record: NodeRecord = { ...recordOf(), isLlmServer: true };
    const bytes = nodeEntryCodec.encode(record);
    expect(unwrap(nodeEntryCodec.decode(bytes))).toEqual(record);
    expect(nodeEntryCodec.encode({ ...record, isLlmServer: false })).not.toEqual(bytes);
    expect(codeOf(nodeEntryCodec.decode(Uint8Array.of(bytes[0]!, 3, ...bytes.subarray(2))))).toBe('undecodable');
  });
});

/** SHA-256 of the record of `joinedFields(alice, 1)` at START, made before there was a schema 2. */
const OLD_BYTES = '0e76a204eb6df108ae7b80fe7bb9209b27606ed6f89012051c725712c01254e5';

function recordOf(): NodeRecord {
  const ledger = new TestChain(VALIDATORS);
  unwrap(ledger.apply(joinedFields(alice, 1)));
  return ledger.record(alice);
}

/** A chain of single events on which three of the four validators decide. */
class Deciding extends TestChain {
  #seq = 10;

  constructor(eventSchema = 1) {
    super(VALIDATORS, { eventSchema });
    unwrap(this.apply(joinedFields(alice, 1)));
  }

  propose(schema: number, fromHeight: number): { readonly code: string; readonly id: Hash } {
    const action = { kind: 'schemaActivated', schema, fromHeight } as const;
    const replaces = unwrap(replacedDigest(this, action));
    const event = eventOf({
      ...{ type: 'proposed', peerId: VALIDATORS[0]!, seq: (this.#seq += 1), action },
      ...{ epoch: 0, replaces, expires: START + 1000 },
    });
    return { code: codeOf(this.applyVerified(event)), id: event.id };
  }

  approve(member: number, proposal: Hash): string {
    const peerId = VALIDATORS[member]!;
    return codeOf(this.apply({ type: 'approved', peerId, seq: (this.#seq += 1), proposal }));
  }

  decide(schema: number, fromHeight: number): void {
    const { code, id } = this.propose(schema, fromHeight);
    expect([code, this.approve(1, id), this.approve(2, id)]).toEqual(['applied', 'applied', 'applied']);
  }
}

describe('a change of the event schema', () => {
  it('is in force from its height on, and older events stay valid', () => {
    const ledger = new Deciding();
    const fromHeight = ledger.height + 2 + MIN_ACTIVATION_NOTICE;
    ledger.decide(2, fromHeight);
    const llm = { type: 'capabilitiesDeclared', peerId: alice, ...NO_CAPABILITIES, ...LLM };
    expect([fromHeight - 1, fromHeight].map((height) => eventSchemaAt(ledger, height))).toEqual([1, 2]);
    ledger.height = fromHeight - 1;
    const early = ledger.apply({ ...llm, seq: 2 });
    expect(early).toMatchObject({ refusal: { code: 'schema-not-active', details: { active: 1, fromHeight } } });
    ledger.height = fromHeight;
    expect(codeOf(ledger.apply({ ...llm, seq: 2 }))).toBe('applied');
    const { isLlmServer: _, schema: __, ...first } = llm;
    expect(codeOf(ledger.apply({ ...first, seq: 3 }))).toBe('applied');
  });

  it('is refused for another schema than the next, with too short or too long a notice, and while one is under way', () => {
    const ledger = new Deciding();
    const soon = ledger.height + MIN_ACTIVATION_NOTICE;
    expect(ledger.propose(1 + 2, soon).code).toBe('schema-not-next');
    expect(ledger.propose(2, soon - 1).code).toBe('activation-height');
    expect(ledger.propose(2, ledger.height + MAX_ACTIVATION_NOTICE + 1).code).toBe('activation-height');
    ledger.decide(2, soon + 10);
    expect(ledger.propose(3, soon + 500).code).toBe('activation-pending');
    ledger.height = soon + 10;
    expect(ledger.propose(2, ledger.height + 500).code).toBe('schema-not-next');
    expect(ledger.propose(3, ledger.height + 500).code).toBe('applied');
  });

  it('is void when the approvals come too late for its height, and when another was decided first', () => {
    const ledger = new Deciding();
    const late = ledger.propose(2, ledger.height + MIN_ACTIVATION_NOTICE);
    expect([ledger.approve(1, late.id), ledger.approve(2, late.id)]).toEqual(['applied', 'activation-height']);
    expect(eventSchemaAt(ledger, ledger.height + MIN_ACTIVATION_NOTICE)).toBe(1);
    const other = ledger.propose(2, ledger.height + 1000);
    ledger.decide(2, ledger.height + 100);
    expect(ledger.approve(1, other.id)).toBe('proposal-void');
  });

  it('can be decided by validators whose programs do not know the schema, and is then not understood', () => {
    const ledger = new Deciding(NEWEST_EVENT_SCHEMA);
    const fromHeight = ledger.height + 100;
    ledger.decide(NEWEST_EVENT_SCHEMA + 1, fromHeight);
    expect(codeOf(checkSchemaKnown(ledger, fromHeight - 1))).toBe('applied');
    expect(codeOf(checkSchemaKnown(ledger, fromHeight))).toBe('schema-not-known');
  });

  it('replaces the one before it', () => {
    const ledger = new Deciding();
    const action = { kind: 'schemaActivated', schema: 2, fromHeight: 1000 } as const;
    expect(replacedDigest(ledger, action)).toEqual({ ok: true, value: ZERO_HASH });
    ledger.decide(2, ledger.height + 100);
    expect(unwrap(replacedDigest(ledger, action))).not.toBe(ZERO_HASH);
  });
});

/** Of the machine, which this program's own newest schema is old for: as programs of schema 1 are for schema 2. */
describe('a block', () => {
  const UNKNOWN = NEWEST_EVENT_SCHEMA + 1;

  /** Blocks that decide on a schema, on top of an execution. */
  function decided(chain: SealedChain, schema: number, fromHeight: number, firstSeq = 10): Execution {
    const { machine } = chain;
    const action = { kind: 'schemaActivated', schema, fromHeight } as const;
    const validator = (number: number) => peerOf(1000 + number);
    const proposed = chain.event({
      ...{ type: 'proposed', peerId: validator(0), seq: firstSeq, action, epoch: 0 },
      ...{ replaces: unwrap(replacedDigest(machine.head, action)), expires: START + 1000 },
    });
    const approvals = [1, 2].map((number) =>
      chain.event({ type: 'approved', peerId: validator(number), seq: firstSeq, proposal: proposed.id }),
    );
    return unwrap(machine.execute(machine.head, chain.context(machine.head.height + 1), [proposed, ...approvals]));
  }

  function empty(chain: SealedChain, parent: Execution): Execution {
    return unwrap(chain.machine.execute(parent, chain.context(parent.height + 1), []));
  }

  function upTo(chain: SealedChain, parent: Execution, height: number): Execution {
    let tip = parent;
    while (tip.height < height) tip = empty(chain, tip);
    return tip;
  }

  test('is judged by the schema that its own ancestors decided on: forks with and without the decision side by side', () => {
    const chain = new SealedChain({ eventSchema: 1 });
    const { machine } = chain;
    const fromHeight = machine.head.height + 1 + MIN_ACTIVATION_NOTICE;
    const llm = chain.join(7, LLM);
    const withIt = upTo(chain, decided(chain, 2, fromHeight), fromHeight - 1);
    const without = upTo(chain, empty(chain, machine.head), fromHeight - 1);
    expect(codeOf(machine.execute(withIt, chain.context(fromHeight), [llm]))).toBe('applied');
    expect(machine.execute(without, chain.context(fromHeight), [llm])).toMatchObject({
      refusal: { code: 'event-not-applicable', details: { because: 'schema-not-active' } },
    });
    expect(machine.select(withIt, chain.context(fromHeight), [llm], NO_LIMITS).events).toEqual([llm]);
    // By the committed state, which knows of no decision, it is refused for good.
    expect(machine.select(without, chain.context(fromHeight), [llm], NO_LIMITS).refused).toHaveLength(1);
  });

  test('of a schema that this program does not know is not executed; on a fork without the decision it is', () => {
    const chain = new SealedChain({ eventSchema: NEWEST_EVENT_SCHEMA });
    const { machine } = chain;
    const fromHeight = machine.head.height + 1 + MIN_ACTIVATION_NOTICE;
    const withIt = upTo(chain, decided(chain, UNKNOWN, fromHeight), fromHeight - 1);
    const without = upTo(chain, empty(chain, machine.head), fromHeight - 1);
    expect(machine.execute(withIt, chain.context(fromHeight), [])).toMatchObject({
      refusal: { code: 'schema-not-known', details: { schema: UNKNOWN, height: fromHeight } },
    });
    expect(codeOf(machine.understands(withIt, fromHeight))).toBe('schema-not-known');
    expect(codeOf(machine.execute(without, chain.context(fromHeight), []))).toBe('applied');
  });

  test('to come may take an event a few heights early: it waits, and nobody is told that it never will', () => {
    const chain = new SealedChain({ eventSchema: 1 });
    const { machine } = chain;
    const fromHeight = machine.head.height + 1 + MIN_ACTIVATION_NOTICE;
    const llm = chain.join(7, LLM);
    machine.commit(decided(chain, 2, fromHeight));
    const at = (height: number) => {
      while (machine.head.height < height - 1) machine.commit(empty(chain, machine.head));
      return chain.context(height);
    };
    expect(machine.finalRefusal(llm, at(fromHeight - MAX_UNCOMMITTED_BLOCKS - 1))?.code).toBe('schema-not-active');
    expect(machine.select(machine.head, chain.context(machine.head.height + 1), [llm], NO_LIMITS).refused).toHaveLength(
      1,
    );
    const context = at(fromHeight - MAX_UNCOMMITTED_BLOCKS);
    expect(machine.finalRefusal(llm, context)).toBeNull();
    const selection = machine.select(machine.head, context, [llm], NO_LIMITS);
    expect(selection).toMatchObject({ events: [], waiting: [llm], refused: [], waitsForChain: true });
    const inForce = at(fromHeight);
    expect(machine.select(machine.head, inForce, [llm], NO_LIMITS).events).toEqual([llm]);
  });

  test('and its records are the same in a replay, through the change', () => {
    const chain = new SealedChain({ eventSchema: 1 });
    chain.commit([chain.join(1)]);
    const fromHeight = chain.head.header.height + 1 + MIN_ACTIVATION_NOTICE;
    const action = { kind: 'schemaActivated', schema: 2, fromHeight } as const;
    const proposed = chain.event({
      ...{ type: 'proposed', peerId: peerOf(1000), seq: 1, action, epoch: 0 },
      ...{ replaces: ZERO_HASH, expires: START + 1000 },
    });
    const approvals = [1, 2].map((number) =>
      chain.event({ type: 'approved', peerId: peerOf(1000 + number), seq: 1, proposal: proposed.id }),
    );
    chain.commit([proposed, ...approvals]);
    while (chain.head.header.height < fromHeight - 1) chain.commit([]);
    const declared = { type: 'capabilitiesDeclared', peerId: peerOf(1), ...NO_CAPABILITIES };
    chain.commit([chain.event({ ...declared, ...LLM, seq: 2 }), chain.join(2)]);
    const replay = new Replay({ genesis: chain.state, validatorsOf: () => chain.validators });
    for (const { sealed } of chain.steps) unwrap(replay.step(sealed));
    const entryOf = (number: number) =>
      nodeEntryCodec.decodeOwn(replay.state.get(`node/${peerOf(number)}`) ?? new Uint8Array());
    expect(entryOf(1)).toMatchObject({ isLlmServer: true });
    expect(entryOf(2)).toMatchObject({ isLlmServer: false });
    expect(unwrap(schemaActivationCodec.decode(replay.state.get(SCHEMA_KEY)!))).toEqual({ schema: 2, fromHeight });
  });
});

const NO_LIMITS = { maxBytes: 1_000_000, maxEvents: 2000 };
