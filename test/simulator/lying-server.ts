/** A server of blocks that lies: of how much it has, of what comes after what, and of the blocks themselves. */
import { syncBlocksCodec } from '../../src/net/block-sync.ts';
import type { AdversaryTools } from './adversaries.ts';
import { fractionOf } from './dice.ts';

const LIES = [
  'has nothing',
  'has the first alone',
  'leaves the first out',
  'turns the order',
  'answers as before',
] as const;

export class LyingServer {
  readonly #tools: AdversaryTools;
  #answers = 0;
  #before: readonly Uint8Array[] = [];

  constructor(tools: AdversaryTools) {
    this.#tools = tools;
  }

  answer(bytes: Uint8Array): Uint8Array {
    const { count, seed } = this.#tools;
    const decoded = syncBlocksCodec.decode(bytes);
    if (!decoded.ok) return bytes;
    const lie = LIES[Math.floor(fractionOf(seed, ++this.#answers, 20) * LIES.length)]!;
    count(`a server ${lie}`);
    const blocks = this.#told(lie, decoded.value);
    this.#before = decoded.value;
    return syncBlocksCodec.encode(blocks);
  }

  #told(lie: (typeof LIES)[number], blocks: readonly Uint8Array[]): readonly Uint8Array[] {
    switch (lie) {
      case 'has nothing':
        return [];
      case 'has the first alone':
        return blocks.slice(0, 1);
      case 'leaves the first out':
        return blocks.slice(1);
      case 'turns the order':
        return blocks.toReversed();
      case 'answers as before':
        return this.#before;
    }
  }
}
