/**
 * Answers of `/masa/read/1.0.0`: a record, its proof in the state of the durable head, and what seals that head. The
 * same answers are what the DHT holds.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import type { Seal, SealedBlock } from '../ledger/block.ts';
import { parsePeerId } from '../ledger/identity.ts';
import { nodeKey } from '../ledger/state.ts';
import { encodeReadAnswer } from '../ledger/verified-read.ts';
import type { ReadHandler } from '../net/read.ts';
import { headStatementCodec, type HeadStatement } from '../qc/head-statement.ts';
import type { HeadStatements } from './head-statements.ts';
import type { OpenLedger } from './open-ledger.ts';

interface DurableHead {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  readonly header: Uint8Array;
  readonly seal: Seal;
}

export class ReadService {
  readonly #ledger: Pick<OpenLedger, 'log' | 'machine'>;
  readonly #statements: Pick<HeadStatements, 'f' | 'own' | 'collect'>;
  #head: DurableHead;

  constructor(ledger: Pick<OpenLedger, 'log' | 'machine'>, statements: Pick<HeadStatements, 'f' | 'own' | 'collect'>) {
    this.#ledger = ledger;
    this.#statements = statements;
    const { height } = ledger.log.head();
    const head = ledger.log.sealedBlockAt(height);
    assert(head !== undefined, 'the head is in the log', { height });
    this.#head = durableHead(head);
  }

  /** Blocks that became durable: reads never show what a crash could take back. */
  committed(blocks: readonly CommittedBlock[]): void {
    const last = blocks.at(-1);
    if (last !== undefined) this.#head = durableHead(last.sealed);
  }

  readonly handle: ReadHandler = async (_peer, request) => {
    switch (request.kind) {
      case 'records': {
        const statements = request.withAge ? await this.#statements.collect() : [];
        return this.#records(request.peerIds, statements);
      }
      case 'headStatements': {
        const own = this.#statements.own();
        return ok(own === null ? (await this.#statements.collect()).map(encodeStatement) : [own]);
      }
      case 'epochProofs':
        return ok([]);
      case 'linearizable':
      case 'readIndex':
        return refuse('no-read-index', 'this node is no member of a Raft cluster: head statements tell the age here');
    }
  };

  /** Refusal: `height-not-held`, when the durable head fell far behind. */
  answerFor(key: string, statements: readonly HeadStatement[] = []): Result<Uint8Array> {
    const { height, header, seal } = this.#head;
    const proven = this.#ledger.machine.proveAt(height, key);
    if (!proven.ok) return proven;
    const { proof, value } = proven.value;
    const headStatements = this.#ofUse(statements).sort((a, b) => a.signer - b.signer);
    return ok(encodeReadAnswer({ value: value ?? null, proof, header, seal, epochProofs: [], headStatements }));
  }

  /**
   * A reader refuses the whole answer for one statement that does not fit its block, and counts the newest f + 1 that
   * its clock can take: it is given 2f + 1 to choose from, and never a lie about this very block.
   */
  #ofUse(statements: readonly HeadStatement[]): HeadStatement[] {
    const { height, blockId, stateRoot } = this.#head;
    return statements
      .filter((statement) => statement.height <= height)
      .filter((statement) => statement.height < height || statement.blockId === blockId)
      .filter((statement) => statement.height < height || statement.stateRoot === stateRoot)
      .sort((a, b) => b.nowMs - a.nowMs)
      .slice(0, 2 * this.#statements.f + 1);
  }

  #records(peerIds: readonly string[], statements: readonly HeadStatement[]): Result<readonly Uint8Array[]> {
    const answers: Uint8Array[] = [];
    for (const text of peerIds) {
      const identity = parsePeerId(text);
      if (!identity.ok) return refuse(identity.refusal.code, identity.refusal.message, { peerId: text });
      const answer = this.answerFor(nodeKey(identity.value.peerId), statements);
      if (!answer.ok) return answer;
      answers.push(answer.value);
    }
    return ok(answers);
  }
}

function durableHead({ block: { header, headerBytes, id }, seal }: SealedBlock): DurableHead {
  const { height, stateRoot } = header;
  return { height, blockId: id, stateRoot, header: headerBytes, seal };
}

function encodeStatement(statement: HeadStatement): Uint8Array {
  return headStatementCodec.encode(statement);
}
