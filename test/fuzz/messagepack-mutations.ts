/** Changes of a MessagePack tuple that know its structure: what a plain change of bytes would rarely hit. */
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import type { Change, MutationInput } from './byte-mutations.ts';
import {
  arrayHead,
  bytesLeaf,
  nodesOf,
  numberBytes,
  parseTree,
  withLength,
  withNode,
  writeTree,
  type ArrayNode,
  type TreeNode,
} from './messagepack-tree.ts';

type NodeMutation = (node: TreeNode, change: Change, input: MutationInput) => TreeNode;

/** Values of every type, canonical or not, put where another is expected. */
const STRANGERS: readonly Uint8Array[] = [
  ...['c0', 'c2', 'c3', 'c1', '90', '80', 'a0', 'c400', '00', '7f', 'ff', 'e0'],
  ...['d0ff', 'd1ff00', 'd280000000', 'd3ffffffffffffffff', 'd38000000000000000'], // negative numbers
  ...['cf0000000000000000', 'cf7fffffffffffffff', 'cf8000000000000000', 'cfffffffffffffffff'],
  ...['cb7ff8000000000000', 'cb7ff0000000000000', 'cb8000000000000000', 'cb3ff8000000000000', 'ca3f800000'],
  ...['cb433fffffffffffff', 'cb4340000000000000', 'cbc1f0000000000000'], // 2^53 - 1, 2^53, -2^32
  ...['a3eda080', 'a2c3a9', 'a3efbfbd', 'a1ff', 'a4f0908080'], // lone surrogate, text, replacement character, no UTF-8
  ...['8100c0', '81a95f5f70726f746f5f5f81a161c3', '81ab636f6e7374727563746f7200', 'de0001a16100', 'df0000000000'],
  ...['d400', 'd40000', 'd50000', 'd6ff00000000', 'd7ff0000000000000000', 'c70cff000000000000000000000000'],
  ...[
    'd6690000000193',
    'd67000000001',
    'd46500',
    'd47300',
    'd4789200a0',
    'd57400',
    'd4724091a16100',
    'd57240c391a16100',
  ],
  ...['c7046200000006a0a0', 'c70342000102', 'c7007400', 'c800ff69', 'c9ffffffff70'],
  ...['dd00000000', 'dc0000', 'db00000000', 'da0000', 'd900', 'c6ffffffff', 'ddffffffff', 'dfffffffff', 'dd01ffffff'],
].map((digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));

const NUMBERS = [0, 1, 2, 3, 5, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 1_724_673_600];

/** Lengths at which some bound of some format lies. */
const LENGTHS = [
  0, 1, 16, 31, 32, 33, 47, 48, 49, 63, 64, 65, 72, 73, 95, 96, 97, 128, 255, 256, 257, 1024, 4096, 8192,
];

/** Half of a block. */
const LARGE_BYTES = 512 << 10;

const COUNTS = [0, 1, 15, 16, 17, 64, 65, 128, 129, 256, 257, 512, 1024, 2000, 2001, 4096];

const raw = (...parts: readonly Uint8Array[]): TreeNode => ({ kind: 'raw', bytes: concatBytes(...parts) });

export const nodeMutations: Readonly<Record<string, NodeMutation>> = {
  'another type': (_, { by }) => raw(pick(STRANGERS, by)),
  'another number': (_, { by }) => raw(numberBytes(pick(NUMBERS, by))),
  'a wider encoding': (node, { by }) => widened(node, by),
  'a lie about the length': (node, { by }) => lying(node, by),
  'another length': (node, { by }) => resized(node, by),
  'an item twice': inArray((items, at) => [...items.slice(0, at + 1), ...items.slice(at)]),
  'an item less': inArray((items, at) => items.filter((_, i) => i !== at)),
  'two items in each other’s place': inArray((items, at, by) => {
    const swapped = [...items];
    const to = by % items.length;
    [swapped[at], swapped[to]] = [swapped[to] as TreeNode, swapped[at] as TreeNode];
    return swapped;
  }),
  'an item many times': inArray((items, at, by) => {
    const count = pick(COUNTS, by);
    const item = items[at] as TreeNode;
    return Array.from({ length: writeTree(item).length * count > 1 << 20 ? 2 : count }, () => item);
  }),
  'deep nesting': (node, { by }, { maxBytes }) => {
    const depth = pick([1, 2, 11, 12, 13, 200, 5000, Math.max(0, maxBytes - 200)], by);
    return raw(new Uint8Array(depth).fill(by % 2 === 0 ? 0x91 : 0x81), writeTree(node));
  },
  'a value that stands for many': (node, { at, by }, { maxBytes }) => {
    const mark = Uint8Array.of(0xd6, 0x69, 0, 0, 0, 1);
    const again = Uint8Array.of(0xd6, 0x70, 0, 0, 0, 1);
    const count = pick(COUNTS, by);
    const own = node.kind === 'array' ? (node.items[0] ?? node) : node;
    const large = bytesLeaf(new Uint8Array(Math.min(maxBytes >> 1, LARGE_BYTES)).fill(by & 0xff));
    const first = writeTree(at % 3 === 0 ? own : large);
    return raw(arrayHead(count + 1), mark, first, ...Array.from({ length: count }, () => again));
  },
  'a part of another encoding': (_, { by }, { other }) => {
    const tree = parseTree(other);
    return tree === undefined ? raw(other) : pick(nodesOf(tree), by);
  },
};

/** @param inner changes what is encoded within a field of bytes, such as a block within a proposal */
export function mutateMessagepack(
  input: MutationInput,
  mutation: NodeMutation,
  change: Change,
  inner: (content: Uint8Array, other: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const tree = parseTree(input.bytes);
  if (tree === undefined) return input.bytes;
  const target = pick(nodesOf(tree), change.at);
  if (target.kind === 'leaf' && target.content.length > 2 && isBytes(target.head)) {
    const changed = inner(target.content, target.content);
    if (changed !== undefined) return writeTree(withNode(tree, target, bytesLeaf(changed)));
  }
  return writeTree(withNode(tree, target, mutation(target, change, input)));
}

function isBytes(head: Uint8Array): boolean {
  return head[0] === 0xc4 || head[0] === 0xc5 || head[0] === 0xc6;
}

export function pick<T>(choices: readonly T[], by: number): T {
  return choices[by % choices.length] as T;
}

/** Where the node is no array, or an empty one, it stays. */
function inArray(change: (items: readonly TreeNode[], at: number, by: number) => readonly TreeNode[]): NodeMutation {
  return (node, { at, by }): TreeNode => {
    if (node.kind !== 'array' || node.items.length === 0) return node;
    const changed: ArrayNode = { ...node, items: change(node.items, by % node.items.length, at) };
    return changed;
  };
}

/** The same value in more bytes than it needs. */
function widened(node: TreeNode, by: number): TreeNode {
  if (node.kind === 'raw') return node;
  if (node.kind === 'array') {
    const items = node.items.map(writeTree);
    return raw(by % 2 === 0 ? withLength(0xdc, 2, items.length) : withLength(0xdd, 4, items.length), ...items);
  }
  const token = node.head[0] as number;
  const { length } = node.content;
  if (token < 0x80) return raw(pick([Uint8Array.of(0xcc, token), withLength(0xcd, 2, token)], by));
  if (token >= 0xcc && token <= 0xce) {
    const value = node.content.reduce((sum, byte) => sum * 256 + byte, 0);
    return raw(by % 2 === 0 ? withLength(0xcf, 8, value) : withLength(0xce, 4, value));
  }
  if (token >= 0xa0 && token < 0xc0) return raw(withLength(pick([0xd9, 0xc4], by), 1, length), node.content);
  const wide = { 0xc4: 0xc5, 0xc5: 0xc6, 0xd9: 0xda, 0xda: 0xdb }[token];
  return wide === undefined ? node : raw(withLength(wide, token & 1 ? 4 : 2, length), node.content);
}

function lying(node: TreeNode, by: number): TreeNode {
  const claimed = pick([0, 1, 0x7f, 0xff, 0xffff, 0xff_ffff, 0x1ff_ffff, 0x7fff_ffff, 0xffff_ffff], by);
  const token = node.kind === 'array' ? 0xdd : pick([0xc6, 0xdb, 0xdd, 0xdf, 0xc9], by);
  const content = node.kind === 'array' ? concatBytes(...node.items.map(writeTree)) : writeTree(node);
  return raw(withLength(token, 4, claimed), content);
}

function resized(node: TreeNode, by: number): TreeNode {
  if (node.kind !== 'leaf') return node;
  const length = pick(LENGTHS, by);
  const content = new Uint8Array(length).fill(by & 0xff);
  if (isBytes(node.head)) {
    content.set(node.content.subarray(0, length));
    return bytesLeaf(content);
  }
  const text = utf8('x'.repeat(length));
  if (length < 32) return raw(Uint8Array.of(0xa0 | length), text);
  return raw(length < 256 ? withLength(0xd9, 1, length) : withLength(0xda, 2, length), text);
}
