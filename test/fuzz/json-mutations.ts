/** Changes of a JSON text that know its structure; what comes out is not always JSON. */
import type { Change } from './byte-mutations.ts';
import { pick } from './messagepack-mutations.ts';

type JsonNode =
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  /** Written as it stands. */
  | { readonly kind: 'text'; readonly text: string };

interface Member {
  /** As it is written, quotes included. */
  readonly key: string;
  readonly value: JsonNode;
}

type JsonMutation = (node: JsonNode, change: Change, other: JsonNode) => JsonNode;

const LITERALS = [
  ...['null', 'true', 'false', '0', '-0', '-1', '1.5', '1e400', '-1e400', '1e-400', '1E2', '01', '+1', '.5', 'NaN'],
  ...['9007199254740991', '9007199254740992', '9223372036854775808', '123456789012345678901234567890', '4294967296'],
  ...['""', '"x"', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\n"', '"\u2028"', '"\\u005f"', '"', "'x'", ''],
  ...['{}', '[]', '[[]]', '{"a":1,"a":2}', '{"__proto__":{"isStaked":true}}', '{"constructor":{"prototype":{"x":1}}}'],
  ...['"2024-08-26T12:00:00Z"', '"9999-12-31T23:59:59.999999999Z"', '"0001-01-01T00:00:00Z"', '"1970-01-01T00:00:00Z"'],
  ...['"/ip4/1.2.3.4/tcp/1"', '"/dns4/a\\ud800/tcp/1"', '"/ip4/1.2.3.4/tcp/1/p2p/x"', '"QmYyQSo1c1Ym7orWxLYvCrM2Emx"'],
];

const CHARACTERS = ['\\ud800', '\\u0000', '\\n', ' ', '/', 'ä', '\u2028', '\ufffd', '0', 'A', ''];

const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'isStaked',
  'length',
  '0',
  '',
  '\\ud800',
  'kind',
];

const REPEATS = [2, 17, 257, 1025, 5000];

export const jsonMutations: Readonly<Record<string, JsonMutation>> = {
  'another value': (_, { by }) => literal(pick(LITERALS, by)),
  'another value of its type': (node, { by }) => {
    if (node.kind !== 'text') return node;
    const alike = LITERALS.filter((text) => typeOf(text) === typeOf(node.text));
    return literal(pick(alike, by));
  },
  'another character': (node, { at, by }) => {
    if (node.kind !== 'text' || !/^".+"$/.test(node.text)) return node;
    const place = 1 + (at % (node.text.length - 2));
    return literal(node.text.slice(0, place) + pick(CHARACTERS, by) + node.text.slice(place + 1));
  },
  'a long text': (_, { by }) => literal(`"${'x'.repeat(pick([63, 64, 65, 128, 129, 256, 257, 10_000], by))}"`),
  'a number nearby': (node, { by }) =>
    node.kind === 'text' && /^\d+$/.test(node.text) ? literal(String(BigInt(node.text) + BigInt((by % 7) - 3))) : node,
  'deep nesting': (node, { by }) => {
    const depth = pick([2, 5, 6, 64, 2000, 100_000], by);
    const [open, close] = by % 2 === 0 ? ['[', ']'] : ['{"a":', '}'];
    return literal(open.repeat(depth) + writeJson(node) + close.repeat(depth));
  },
  'a member twice': inObject((members, at, by) => {
    const { key, value } = members[at] as Member;
    const again = by % 2 === 0 ? value : literal(pick(LITERALS, by));
    return [...members.slice(0, at + 1), { key, value: again }, ...members.slice(at + 1)];
  }),
  'a key written otherwise, twice': inObject((members, at) => {
    const { key, value } = members[at] as Member;
    const escaped = key.replace(/^"([^\\"])/, (_, first: string) => `"\\u${hex4(first)}`);
    return [...members, { key: escaped, value }];
  }),
  'a key written otherwise': inObject((members, at) =>
    members.map((member, i) =>
      i === at ? { ...member, key: member.key.replace(/^"([^\\"])/, (_, c: string) => `"\\u${hex4(c)}`) } : member,
    ),
  ),
  'a member less': inObject((members, at) => members.filter((_, i) => i !== at)),
  'another key': inObject((members, at, by) =>
    members.map((member, i) => (i === at ? { ...member, key: `"${pick(KEYS, by)}"` } : member)),
  ),
  'a strange member': inObject((members, at, by) => [
    ...members.slice(0, at),
    { key: `"${pick(KEYS, by)}"`, value: literal(pick(LITERALS, at + by)) },
    ...members.slice(at),
  ]),
  'members in another order': inObject((members, at) => [...members.slice(at), ...members.slice(0, at)]),
  'an item many times': (node, { at, by }) => {
    if (node.kind !== 'array' || node.items.length === 0) return node;
    const item = node.items[at % node.items.length] as JsonNode;
    const count = writeJson(item).length > 200 ? 2 : pick(REPEATS, by);
    return { kind: 'array', items: [...node.items, ...Array.from({ length: count }, () => item)] };
  },
  'an item less': (node, { by }) =>
    node.kind === 'array' ? { ...node, items: node.items.filter((_, i) => i !== by % node.items.length) } : node,
  blanks: (node, { by }) => literal(`${' \t\n'.repeat(by % 4)}${writeJson(node)} `),
  'a part of another text': (_, { by }, other) => pick(jsonNodesOf(other), by),
};

/** @returns undefined when it is not JSON */
export function mutateJson(
  text: string,
  otherText: string,
  mutation: JsonMutation,
  change: Change,
): string | undefined {
  const tree = parseJsonTree(text);
  const other = parseJsonTree(otherText);
  if (tree === undefined || other === undefined) return undefined;
  const target = pick(jsonNodesOf(tree), change.at);
  return writeJson(withJsonNode(tree, target, mutation(target, change, other)));
}

function literal(text: string): JsonNode {
  return { kind: 'text', text };
}

function typeOf(text: string): string {
  return text.startsWith('"') ? 'text' : /^[-+.\d]/.test(text) ? 'number' : 'other';
}

function hex4(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(4, '0');
}

function inObject(change: (members: readonly Member[], at: number, by: number) => readonly Member[]): JsonMutation {
  return (node, { at, by }) => {
    if (node.kind !== 'object' || node.members.length === 0) return node;
    return { kind: 'object', members: change(node.members, by % node.members.length, at + by) };
  };
}

function parseJsonTree(text: string): JsonNode | undefined {
  try {
    return treeOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function treeOf(value: unknown): JsonNode {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(treeOf) };
  if (typeof value !== 'object' || value === null) return literal(JSON.stringify(value));
  const members = Object.entries(value).map(([key, member]) => ({ key: JSON.stringify(key), value: treeOf(member) }));
  return { kind: 'object', members };
}

function writeJson(node: JsonNode): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'array':
      return `[${node.items.map(writeJson).join(',')}]`;
    case 'object':
      return `{${node.members.map(({ key, value }) => `${key}:${writeJson(value)}`).join(',')}}`;
  }
}

function jsonNodesOf(tree: JsonNode): readonly JsonNode[] {
  const nodes: JsonNode[] = [];
  const visit = (node: JsonNode): void => {
    nodes.push(node);
    if (node.kind === 'array') node.items.forEach(visit);
    if (node.kind === 'object') node.members.forEach(({ value }) => visit(value));
  };
  visit(tree);
  return nodes;
}

function withJsonNode(tree: JsonNode, target: JsonNode, replacement: JsonNode): JsonNode {
  if (tree === target) return replacement;
  if (tree.kind === 'array') {
    return { kind: 'array', items: tree.items.map((item) => withJsonNode(item, target, replacement)) };
  }
  if (tree.kind === 'text') return tree;
  const members = tree.members.map(({ key, value }) => ({ key, value: withJsonNode(value, target, replacement) }));
  return { kind: 'object', members };
}
