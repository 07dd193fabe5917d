/**
 * Sealed blocks that came before those below them. Bounded by height: what is too far ahead is asked for again when
 * its turn comes.
 */
import type { VerifiedSealedBlock } from './engine.ts';

/** Heights above the next one that are kept. */
export const MAX_BLOCKS_AHEAD = 256;

export class SealedBuffer {
  readonly #blocks = new Map<number, VerifiedSealedBlock>();

  /** @param nextHeight the lowest height of use */
  add(block: VerifiedSealedBlock, nextHeight: number): void {
    const { height } = block.block.header;
    if (height >= nextHeight && height < nextHeight + MAX_BLOCKS_AHEAD) this.#blocks.set(height, block);
  }

  /** The block of this height, taken out; everything below it is dropped. */
  take(height: number): VerifiedSealedBlock | undefined {
    const block = this.#blocks.get(height);
    for (const held of this.#blocks.keys()) if (held <= height) this.#blocks.delete(held);
    return block;
  }

  /** The greatest height that is held; undefined when none is. */
  get highest(): number | undefined {
    return this.#blocks.size === 0 ? undefined : Math.max(...this.#blocks.keys());
  }
}
