/**
 * Answers of `/masa/read/1.0.0`: a record, its proof in the state of the durable head, and what seals that head. The
 * same answers are what the DHT holds.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import type { Seal } from '../ledger/block.ts';
import { parsePeerId } from '../ledger/identity.ts';
import { nodeKey } from '../ledger/state.ts';
import { encodeReadAnswer } from '../ledger/verified-read.ts';
import type { ReadHandler } from '../net/read.ts';
import { headStatementCodec, type HeadStatement } from '../qc/head-statement.ts';
import type { HeadStatements } from './head-statements.ts';
import type { OpenLedger } from './open-ledger.ts';

interface DurableHead {
  readonly height: number;
  readonly header: Uint8Array;
  readonly seal: Seal;
}

export class ReadService {
  readonly #ledger: OpenLedger;
  readonly #statements: HeadStatements;
  #head: DurableHead;

  constructor(ledger: OpenLedger, statements: HeadStatements) {
    this.#ledger = ledger;
    this.#statements = statements;
    const { height } = ledger.log.head();
    const head = ledger.log.sealedBlockAt(height);
    if (head === undefined) throw new Error(`the log holds no block at its head ${height}`);
    this.#head = { height, header: head.block.headerBytes, seal: head.seal };
  }

  /** Blocks that became durable: reads never show what a crash could take back. */
  committed(blocks: readonly CommittedBlock[]): void {
    const last = blocks.at(-1);
    if (last === undefined) return;
    const { block, sealed } = last;
    this.#head = { height: block.header.height, header: block.headerBytes, seal: sealed.seal };
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
    }
  };

  /** Refusal: `height-not-held`, when the durable head fell far behind. */
  answerFor(key: string, statements: readonly HeadStatement[] = []): Result<Uint8Array> {
    const { height, header, seal } = this.#head;
    const proven = this.#ledger.machine.proveAt(height, key);
    if (!proven.ok) return proven;
    const { proof, value } = proven.value;
    const headStatements = statements
      .filter((statement) => statement.height <= height)
      .sort((a, b) => a.signer - b.signer);
    return ok(encodeReadAnswer({ value: value ?? null, proof, header, seal, epochProofs: [], headStatements }));
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

function encodeStatement(statement: HeadStatement): Uint8Array {
  return headStatementCodec.encode(statement);
}
