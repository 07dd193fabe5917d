/**
 * This node's part in the DHT: it checks what it is asked to keep, puts records of changed nodes there at a bounded
 * pace, and renews its share. Every value is a whole verified read (`ledger/verified-read.ts`), so that nobody has to
 * trust whoever keeps it.
 */
import { textFromUtf8, utf8 } from '../base/bytes.ts';
import { assert } from '../base/assert.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import { contentOf, withCheck } from '../ledger/checked-record.ts';
import { bigEndian, dhtHeightKey, fromBigEndian, rangeOf, stateKey } from '../ledger/layout.ts';
import { NODE_KEY_PREFIX, nodeKey } from '../ledger/state.ts';
import { VALIDATORS_KEY } from '../ledger/validators.ts';
import { DhtRecords, type FoundRecord } from '../net/dht.ts';
import { recordRules, type HeightMemory, type RecordKey, type RecordRules } from '../net/record-rules.ts';
import type { Host } from '../net/host.ts';
import { RecordPublisher } from '../net/record-publisher.ts';
import type { Store } from '../store/store.ts';
import type { NodeCore } from './core.ts';
import type { ReadService } from './read-service.ts';
import type { Verifier } from './verification-pool.ts';

type DhtCore = Pick<NodeCore, 'ledger' | 'log' | 'nowMs'> & { readonly pool: Verifier };

const PUT_DEADLINE_MS = 10_000;

/** The state key behind a DHT key. */
export function stateKeyOf(key: RecordKey): string {
  return key.kind === 'node' ? nodeKey(key.peerId) : VALIDATORS_KEY;
}

/**
 * Verifies a value off the main thread. A proof that the ledger never heard of a node is refused as `record-absent`,
 * true as it is: there is one for every key that anybody makes up. (What remains of a removed node is an entry.)
 *
 * @returns its height
 */
async function checkRecord(
  pool: Verifier,
  nowMs: () => number,
  key: RecordKey,
  answer: Uint8Array,
): Promise<Result<number>> {
  const checked = await pool.run({ kind: 'stateRead', answer, key: stateKeyOf(key), nowMs: nowMs() }, 'bulk');
  if (!checked.ok) return checked;
  assert(checked.value.kind === 'stateRead', 'a read is answered with what it proves');
  const { result } = checked.value;
  if (!result.ok) return result;
  const { height, value } = result.value;
  return value === undefined ? refuse('record-absent', 'the ledger has no such entry', { height }) : ok(height);
}

/** For the host, before it exists. */
export function dhtRules({ ledger, log, nowMs, pool }: DhtCore): RecordRules {
  return recordRules({
    check: (key, value) => checkRecord(pool, nowMs, key, value),
    heights: heightMemory(ledger.store),
    onRefused: (key, refusal) => {
      log.debug({ key, refusal }, 'DHT record refused');
    },
  });
}

function heightMemory(store: Store): HeightMemory {
  const heightOf = (key: string): number | undefined => {
    const height = store.get(dhtHeightKey(utf8(key)));
    const content = height === undefined ? null : contentOf(height);
    // One that changed on the disk is as good as none: what is at stake is an older record taken again.
    return content === null ? undefined : fromBigEndian(content);
  };
  return {
    get: heightOf,
    // What is forgotten in a power cut is at worst an older record taken again; not worth a sync.
    async put(key, height) {
      if ((heightOf(key) ?? -1) >= height) return;
      const value = withCheck(bigEndian(height));
      await store.batch([{ kind: 'put', key: dhtHeightKey(utf8(key)), value }], { sync: false });
    },
  };
}

export class DhtService {
  readonly #records: DhtRecords;
  readonly #publisher: RecordPublisher;
  readonly #ownPeerId: string | null;

  /** @param publishes validators do; observers only keep and answer */
  constructor(core: NodeCore, host: Host, reads: ReadService, publishes: boolean) {
    this.#ownPeerId = publishes ? core.identity.peerId : null;
    this.#records = new DhtRecords(host, (key, value) => checkRecord(core.pool, core.nowMs, key, value));
    this.#publisher = new RecordPublisher({
      currentValue: (key) => {
        const answer = reads.answerFor(stateKeyOf(key));
        return Promise.resolve(answer.ok ? answer.value : undefined);
      },
      put: (key, value) => this.#records.put(key, value, { deadlineMs: PUT_DEADLINE_MS }),
      renewed: () => renewedKeys(core),
      onOutcome: (key, outcome) => {
        core.log.trace({ key, outcome }, 'DHT put');
      },
    });
  }

  start(): void {
    if (this.#ownPeerId === null) return;
    this.#publisher.start();
    this.#publisher.publish({ kind: 'validators' });
  }

  stop(): void {
    this.#publisher.stop();
  }

  /** The proposer of a block puts the records that it changed; removed ones are put as their proven absence. */
  committed(blocks: readonly CommittedBlock[]): void {
    for (const { block, changes } of blocks) {
      if (block.header.proposer !== this.#ownPeerId) continue;
      for (const { key } of changes) {
        if (key.startsWith(NODE_KEY_PREFIX))
          this.#publisher.publish({ kind: 'node', peerId: key.slice(NODE_KEY_PREFIX.length) });
      }
    }
  }

  /** An answer for `verifyRead`, or undefined when nobody has one. */
  find(peerId: string, deadlineMs: number): Promise<FoundRecord | undefined> {
    return this.#records.get({ kind: 'node', peerId }, { deadlineMs });
  }
}

/** Records that this validator renews: each record is in the share of one validator. */
async function* renewedKeys({ context, ledger, seat }: NodeCore): AsyncGenerator<RecordKey> {
  if (seat === null) return;
  yield { kind: 'validators' };
  const range = rangeOf(stateKey(NODE_KEY_PREFIX));
  const prefixLength = stateKey(NODE_KEY_PREFIX).length;
  for await (const [key] of ledger.store.entries(range)) {
    const peerId = key.subarray(prefixLength);
    const share = peerId.reduce((sum, byte) => sum + byte, 0) % context.validators.n;
    if (share === seat.index) yield { kind: 'node', peerId: textFromUtf8(peerId) };
  }
}
