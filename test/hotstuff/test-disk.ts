/** The disk of a validator in tests: maps that keep what the effects of an engine wrote. */
import { assert } from '../../src/base/assert.ts';
import type { Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import type { FetchTarget } from '../../src/consensus/engine.ts';
import { encodeSafetyRecord, firstSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { decodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { MAX_BLOCKS_PER_ANSWER } from '../../src/hotstuff/wire.ts';
import { encodeSealedBlock, type SealedBlock } from '../../src/ledger/block.ts';
import type { StateChange } from '../../src/ledger/state.ts';
import type { TestChain } from './chain.ts';

/** What survives a crash. */
export class TestDisk {
  safety: Uint8Array | null;
  readonly uncommitted = new Map<Hash, Uint8Array>();
  /** Sealed blocks by height. */
  readonly sealed: Uint8Array[] = [];
  readonly state = new Map<string, Uint8Array>();
  readonly evidence: Uint8Array[] = [];

  constructor(chain: TestChain) {
    this.safety = encodeSafetyRecord(firstSafetyRecord(chain.genesisCertificate));
    this.commit(chain.genesis.sealed, chain.genesis.changes);
  }

  commit(sealed: SealedBlock, changes: readonly StateChange[]): void {
    assert(sealed.block.header.height === this.sealed.length, 'blocks are committed in height order', {});
    this.sealed.push(encodeSealedBlock(sealed));
    this.uncommitted.delete(sealed.block.id);
    for (const { key, value } of changes) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
  }

  copyOf(other: TestDisk): void {
    this.safety = other.safety;
    for (const map of ['uncommitted', 'state'] as const) {
      (this[map] as Map<string, Uint8Array>).clear();
      for (const [key, value] of other[map]) (this[map] as Map<string, Uint8Array>).set(key, value);
    }
    this.sealed.splice(0, this.sealed.length, ...other.sealed);
  }

  /** What a server answers: null when it holds nothing of it. */
  serve({ chainId }: TestChain, what: FetchTarget): readonly Uint8Array[] | null {
    if (what.kind === 'sealed') {
      const found = this.sealed.slice(what.fromHeight, what.fromHeight + 32);
      return found.length === 0 ? null : found;
    }
    const found: Uint8Array[] = [];
    let bytes = this.uncommitted.get(what.ids[0] as Hash);
    for (; bytes !== undefined && found.length < MAX_BLOCKS_PER_ANSWER;) {
      found.push(bytes);
      bytes = this.uncommitted.get(unwrap(decodeStoredBlock(chainId, bytes)).block.header.parentId);
    }
    return found.length === 0 ? null : found;
  }
}
