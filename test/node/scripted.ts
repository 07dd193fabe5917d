/** A loop whose engine, disk and network a test holds in its hands: messages are short texts. */
import { utf8 } from '../../src/base/bytes.ts';
import { hashFromBytes, sha256, type Hash } from '../../src/base/hash.ts';
import type { CommittedBlock, Effect, Engine, Input } from '../../src/consensus/engine.ts';
import { Loop } from '../../src/node/loop.ts';
import { inboxShares, turnPlanner } from '../../src/node/turn-planner.ts';
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';
import { SealedChain } from '../ledger/chain.ts';
import { MemoryStore } from '../store/memory-store.ts';

export type Message = string;
export type TestEffect = Effect<Message, string>;
export type TestInput = Input<Message, string>;

export function received(message: Message, from = 1): TestInput {
  return { kind: 'received', from, message };
}

/** Answers each input with what the script says; remembers what it was given. */
export class ScriptedEngine implements Engine<Message, string, string> {
  readonly inputs: TestInput[] = [];
  wakeAt: number | undefined;
  readonly #script: (input: TestInput) => readonly TestEffect[];

  constructor(script: (input: TestInput) => readonly TestEffect[]) {
    this.#script = script;
  }

  step(input: TestInput): readonly TestEffect[] {
    this.inputs.push(input);
    return this.#script(input);
  }

  status(): never {
    throw new TypeError('nobody asks a scripted engine');
  }

  wakeAtMs(): number | undefined {
    return this.wakeAt;
  }
}

/** Batches are durable when the test says so. */
export class HeldStore implements Store {
  readonly batches: { readonly operations: readonly StoreOperation[]; readonly sync: boolean }[] = [];
  readonly #memory = new MemoryStore();
  readonly #log: string[];
  #ends: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];

  constructor(log: string[]) {
    this.#log = log;
  }

  async batch(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    this.batches.push({ operations, sync });
    this.#log.push('writing');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ends.push({ resolve, reject });
    await promise;
    await this.#memory.batch(operations);
  }

  /** The batches under way become durable. */
  letThrough(): void {
    this.#log.push('durable');
    for (const { resolve } of this.#ends.splice(0)) resolve();
  }

  fail(error: Error): void {
    for (const { reject } of this.#ends.splice(0)) reject(error);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#memory.get(key);
  }

  entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#memory.entries(range);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface TestLoop {
  readonly loop: Loop<TestInput, TestEffect>;
  readonly engine: ScriptedEngine;
  readonly store: HeldStore;
  /** What happened, in order. */
  readonly log: string[];
}

export interface TestLoopOptions {
  readonly maxMessagesPerPeer?: number;
  readonly maxEvents?: number;
  readonly sign?: (preimage: Uint8Array) => Uint8Array;
  readonly onSend?: () => void;
}

/** Validator 0 of four. */
export function testLoop(
  script: (input: TestInput) => readonly TestEffect[],
  { maxMessagesPerPeer = 8, maxEvents = 8, sign = () => utf8('signature'), onSend }: TestLoopOptions = {},
): TestLoop {
  const log: string[] = [];
  const engine = new ScriptedEngine(script);
  const store = new HeldStore(log);
  const signer = (key: string) => (preimage: Uint8Array) => {
    log.push(`sign ${key}`);
    return sign(preimage);
  };
  const plan = turnPlanner<Message, string, Message>({
    wire: {
      encode: (message) => utf8(message),
      withSignature: (message, signature) => `${message} ${new TextDecoder().decode(signature)}`,
      admitOwn: (message) => `own ${message}`,
    },
    signer: { bls: signer('bls'), identity: signer('identity') },
    outlets: {
      send: (to, frame) => {
        log.push(`send ${new TextDecoder().decode(frame)} to ${to}`);
        onSend?.();
      },
      receiveOwn: (from, message) => loop.put({ kind: 'received', from, message }),
      committed: (blocks) => log.push(`committed ${blocks.map(({ block }) => block.header.height).join()}`),
      verify: ({ work }) => log.push(`verify ${work}`),
      fetch: ({ request }) => log.push(`fetch ${request}`),
      rejected: ({ refusal }) => log.push(`rejected ${refusal.code}`),
      refused: ({ refusal }) => log.push(`refused ${refusal.code}`),
      evidence: ({ offender }) => log.push(`evidence ${offender}`),
      forward: (events) => log.push(`forward ${events.length}`),
    },
    validators: 4,
    self: 0,
  });
  const loop = new Loop<TestInput, TestEffect>({
    engine,
    store,
    plan,
    disk: { kind: 'before' },
    nowMs: () => 0,
    shareOf: inboxShares({ maxMessagesPerPeer, maxEvents }),
  });
  return { loop, engine, store, log };
}

const chain = new SealedChain();
const blocks = Array.from({ length: 3 }, () => chain.commit());

export function blockAt(height: number): CommittedBlock {
  const step = blocks[height - 1];
  if (step === undefined) throw new TypeError(`no block at ${height}`);
  return { block: step.sealed.block, sealed: step.sealed, changes: step.changes };
}

export const hashOf = (name: string): Hash => hashFromBytes(sha256(utf8(name)));
const refusal = (code: string) => ({ code, message: 'text', details: {} });

export const effects = {
  persist: (safety = 'record', ...names: readonly string[]): TestEffect => ({
    kind: 'persist',
    safety: utf8(safety),
    blocks: names.map((name) => ({ id: hashOf(name), bytes: utf8(name) })),
  }),
  commit: (...heights: readonly number[]): TestEffect => ({
    kind: 'commit',
    blocks: heights.map(blockAt),
    forgotten: [],
  }),
  forget: (name: string): TestEffect => ({ kind: 'commit', blocks: [], forgotten: [hashOf(name)] }),
  cast: (
    message: Message,
    to: 'all' | readonly number[] = 'all',
    signWith: 'bls' | 'identity' = 'bls',
  ): TestEffect => ({
    kind: 'cast',
    signWith,
    preimage: utf8(message),
    message,
    to,
  }),
  send: (message: Message, to: 'all' | readonly number[] = 'all'): TestEffect => ({ kind: 'send', message, to }),
  verify: (work: string): TestEffect => ({ kind: 'verify', job: 1, work }),
  fetch: (request: number): TestEffect => ({
    kind: 'fetch',
    request,
    what: { kind: 'sealed', fromHeight: 1 },
    from: [1],
  }),
  rejected: (code: string): TestEffect => ({ kind: 'rejected', event: hashOf(code), refusal: refusal(code) }),
  refused: (code: string): TestEffect => ({ kind: 'refused', from: 1, refusal: refusal(code) }),
  evidence: (offender: number): TestEffect => ({ kind: 'evidence', offender, epoch: 0, bytes: utf8('evidence') }),
  forward: (): TestEffect => ({ kind: 'forward', events: [chain.join(9)] }),
};
