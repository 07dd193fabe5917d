/** MessagePack as a tree that keeps how each value was written, so that one can be written otherwise. */
import { concatBytes } from '../../src/base/bytes.ts';

export interface Leaf {
  readonly kind: 'leaf';
  /** Token and length. */
  readonly head: Uint8Array;
  readonly content: Uint8Array;
}

/** An array, or a map, whose keys are items too. */
export interface ArrayNode {
  readonly kind: 'array';
  readonly isMap?: true;
  readonly items: readonly TreeNode[];
}

/** Bytes put in place of a value, whatever they are. */
export interface RawNode {
  readonly kind: 'raw';
  readonly bytes: Uint8Array;
}

export type TreeNode = Leaf | ArrayNode | RawNode;

class NotPlain extends Error {}

/** @returns undefined when it is not one plain value (`src/base/messagepack-reader.ts` reads no other) */
export function parseTree(bytes: Uint8Array): TreeNode | undefined {
  const reader = new Reader(bytes);
  try {
    const tree = reader.value(0);
    return reader.ended ? tree : undefined;
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

export function writeTree(node: TreeNode): Uint8Array {
  switch (node.kind) {
    case 'raw':
      return node.bytes;
    case 'leaf':
      return concatBytes(node.head, node.content);
    case 'array':
      return concatBytes(headOf(node), ...node.items.map(writeTree));
  }
}

/** The shortest. */
export function arrayHead(length: number): Uint8Array {
  if (length < 16) return Uint8Array.of(0x90 | length);
  return length < 65_536 ? withLength(0xdc, 2, length) : withLength(0xdd, 4, length);
}

function headOf({ items, isMap }: ArrayNode): Uint8Array {
  if (isMap !== true) return arrayHead(items.length);
  const length = items.length >> 1;
  return length < 16 ? Uint8Array.of(0x80 | length) : withLength(0xdf, 4, length);
}

/** The canonical encoding of bytes. */
export function bytesLeaf(content: Uint8Array): Leaf {
  const { length } = content;
  const [token, width] = length < 256 ? [0xc4, 1] : length < 65_536 ? [0xc5, 2] : [0xc6, 4];
  return { kind: 'leaf', head: withLength(token, width, length), content };
}

export function withLength(token: number, width: number, length: number): Uint8Array {
  const head = new Uint8Array(1 + width);
  head[0] = token;
  for (let i = 0; i < width; i++) head[width - i] = Math.floor(length / 256 ** i) & 0xff;
  return head;
}

/** The shortest encoding of a whole number, and of one beyond 32 bits the double that msgpackr writes. */
export function numberBytes(value: number): Uint8Array {
  if (value < 128) return Uint8Array.of(value);
  if (value < 256) return Uint8Array.of(0xcc, value);
  if (value < 65_536) return withLength(0xcd, 2, value);
  if (value < 2 ** 32) return withLength(0xce, 4, value);
  const bytes = new Uint8Array(9);
  bytes[0] = 0xcb;
  new DataView(bytes.buffer).setFloat64(1, value);
  return bytes;
}

/** Every node of the tree, an array before its items. */
export function nodesOf(tree: TreeNode): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  const visit = (node: TreeNode): void => {
    nodes.push(node);
    if (node.kind === 'array') node.items.forEach(visit);
  };
  visit(tree);
  return nodes;
}

/** The tree with another node in the place of that one; a node stands in one place only. */
export function withNode(tree: TreeNode, target: TreeNode, replacement: TreeNode): TreeNode {
  if (tree === target) return replacement;
  if (tree.kind !== 'array') return tree;
  return { ...tree, items: tree.items.map((item) => withNode(item, target, replacement)) };
}

class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#position === this.#bytes.length;
  }

  value(depth: number): TreeNode {
    const start = this.#position;
    const token = this.#take(1)[0] as number;
    const { width, fixed, isArray, isMap } = formOf(token);
    const count = width === 0 ? fixed : this.#take(width).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!isArray) {
      const head = this.#bytes.subarray(start, this.#position);
      return { kind: 'leaf', head, content: this.#take(count) };
    }
    const length = isMap === true ? 2 * count : count;
    if (depth > 12 || length > this.#bytes.length - this.#position) throw new NotPlain();
    const items = Array.from({ length }, () => this.value(depth + 1));
    return isMap === true ? { kind: 'array', isMap, items } : { kind: 'array', items };
  }

  #take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#position) throw new NotPlain();
    this.#position += count;
    return this.#bytes.subarray(this.#position - count, this.#position);
  }
}

/** `width`: bytes of the length after the token; else the length is `fixed`. A map has so many pairs. */
interface Form {
  readonly width: number;
  readonly fixed: number;
  readonly isArray: boolean;
  readonly isMap?: true;
}

function formOf(token: number): Form {
  const leaf = (fixed: number, width = 0) => ({ width, fixed, isArray: false });
  if (token < 0x80 || token >= 0xe0) return leaf(0);
  if (token < 0x90) return { width: 0, fixed: token & 15, isArray: true, isMap: true };
  if (token < 0xa0) return { width: 0, fixed: token & 15, isArray: true };
  if (token >= 0xa0 && token < 0xc0) return leaf(token & 31);
  if (token === 0xdc || token === 0xdd) return { width: token === 0xdc ? 2 : 4, fixed: 0, isArray: true };
  if (token >= 0xde && token < 0xe0) return { width: token === 0xde ? 2 : 4, fixed: 0, isArray: true, isMap: true };
  if (token >= 0xc4 && token <= 0xc6) return leaf(0, 2 ** (token - 0xc4));
  if (token >= 0xd9 && token <= 0xdb) return leaf(0, 2 ** (token - 0xd9));
  if (token >= 0xcc && token <= 0xcf) return leaf(2 ** (token - 0xcc));
  if (token >= 0xd0 && token <= 0xd3) return leaf(2 ** (token - 0xd0));
  if (token === 0xcb) return leaf(8);
  if (token === 0xca) return leaf(4);
  if (token === 0xc0 || token === 0xc2 || token === 0xc3) return leaf(0);
  throw new NotPlain();
}
