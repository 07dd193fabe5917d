import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { genesisState, headOf, machineAtGenesis } from '../../src/ledger/genesis-state.ts';
import { chainIdOf, formatGenesis, genesisHash, parseGenesis, type Genesis } from '../../src/ledger/genesis.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { VALIDATORS_KEY, validatorListCodec } from '../../src/ledger/validators.ts';
import { genesisOf, MapReader, SealedChain } from './chain.ts';
import { codeOf, peerOf } from './nodes.ts';

/** A record as an import makes it. */
function importedRecord(node: number): NodeRecord {
  const chain = new SealedChain();
  chain.commit([chain.join(node)]);
  const entry = unwrap(nodeEntryCodec.decode(chain.machine.get(nodeKey(peerOf(node))) as Uint8Array));
  if (entry.kind !== 'record') throw new TypeError('no record');
  return { ...entry, origin: 'import', closedUptimeNs: 0n };
}

const genesis: Genesis = genesisOf({ records: [importedRecord(1), importedRecord(2)] });
interface GenesisJson {
  readonly records: readonly [object, object];
  readonly validators: readonly [object, ...object[]];
}
const json = () => JSON.parse(formatGenesis(genesis)) as GenesisJson;
const parse = (changes: object) => parseGenesis(JSON.stringify({ ...json(), ...changes }));

describe('a genesis', () => {
  test('survives its JSON, and the order and layout of the file do not matter', () => {
    const parsed = unwrap(parseGenesis(formatGenesis(genesis)));
    expect(genesisHash(parsed)).toBe(genesisHash(genesis));
    expect(formatGenesis(unwrap(parseGenesis(formatGenesis(parsed))))).toBe(formatGenesis(parsed));
    const { records, validators, ...rest } = json();
    const shuffled = JSON.stringify(
      { validators: validators.toReversed(), ...rest, records: records.toReversed() },
      null,
      7,
    );
    expect(genesisHash(unwrap(parseGenesis(shuffled)))).toBe(genesisHash(genesis));
  });

  test('has a chain id that begins with its name and changes with every value', () => {
    const others: Genesis[] = [
      genesis,
      { ...genesis, name: 'other' },
      { ...genesis, timestamp: genesis.timestamp + 1 },
      { ...genesis, commitDepth: 3 },
      { ...genesis, parameters: { ...genesis.parameters, livenessWindowSeconds: 60 } },
      { ...genesis, validators: genesis.validators.slice(1) },
      { ...genesis, records: genesis.records.slice(1) },
    ];
    expect(new Set(others.map(chainIdOf)).size).toBe(others.length);
    expect(chainIdOf(genesis)).toMatch(/^test-[0-9a-f]{32}$/);
  });

  test('makes a first block and a first state that hold its records and validators', () => {
    const { block, chainId, changes, sealed } = genesisState(genesis);
    expect(block.header).toMatchObject({ chainId, height: 0, round: 0, epoch: 0, timestamp: genesis.timestamp });
    expect(sealed.seal).toEqual({ kind: 'genesis', bytes: new Uint8Array(0) });
    const backing = new MapReader();
    backing.apply(changes);
    const machine = machineAtGenesis(genesisState(genesis), backing);
    expect(machine.head.stateRoot).toBe(block.header.stateRoot);
    expect(headOf(block)).toMatchObject({ height: 0, blockId: block.id });
    expect(machine.get(nodeKey(peerOf(2)))).toEqual(nodeEntryCodec.encode(importedRecord(2)));
    const { validators } = unwrap(validatorListCodec.decode(machine.get(VALIDATORS_KEY) as Uint8Array));
    expect(validators).toHaveLength(4);
  });

  test.each([
    ['a name with a capital', { name: 'Test' }],
    ['a name that is too long', { name: 'x'.repeat(32) }],
    ['an unknown field', { extra: 1 }],
    ['a commit depth of 1', { commitDepth: 1 }],
    ['no validators', { validators: [] }],
    ['a time that is no whole number', { timestamp: 1.5 }],
    ['a validator that appears twice', { validators: [json().validators[0], json().validators[0]] }],
    ['a record newer than itself', { timestamp: 1 }],
    ['a record that appears twice', { records: [json().records[0], json().records[0]] }],
  ])('with %s is refused', (_what, changes) => {
    expect(codeOf(parse(changes))).toBe('genesis-malformed');
  });

  test('with a record of an LLM server begins with schema 2, and is read as it was written', () => {
    const parameters = { livenessWindowSeconds: 60, eventSchema: 2 };
    const genesis = unwrap(parse({ parameters, records: [{ ...json().records[0], isLlmServer: true }] }));
    expect(genesis.records).toMatchObject([{ isLlmServer: true }]);
    expect(unwrap(parseGenesis(formatGenesis(genesis)))).toEqual(genesis);
  });

  test('that is not JSON, or has a bad key, parameter, peer id, address or record, is refused', () => {
    expect(codeOf(parseGenesis('{'))).toBe('genesis-malformed');
    expect(codeOf(parse({ parameters: { livenessWindowSeconds: 1, eventSchema: 1 } }))).toBe('parameters-invalid');
    expect(codeOf(parse({ parameters: { livenessWindowSeconds: 60, eventSchema: 9 } }))).toBe('schema-unknown');
    const validator = (changes: object) => parse({ validators: [{ ...json().validators[0], ...changes }] });
    expect(codeOf(validator({ blsPublicKey: 'ABCD' }))).toBe('genesis-malformed');
    expect(codeOf(validator({ peerId: 'nobody' }))).toBe('peer-id-invalid');
    expect(codeOf(validator({ multiaddrs: ['nowhere'] }))).toBe('address-invalid');
    expect(codeOf(validator({ multiaddrs: ['/ip4/127.0.0.1/tcp/2', '/ip4/127.0.0.1/tcp/1'] }))).toBe(
      'genesis-malformed',
    );
    const record = (changes: object) => parse({ records: [{ ...json().records[0], ...changes }] });
    expect(codeOf(record({ lastSeq: -1 }))).toBe('genesis-malformed');
    expect(codeOf(record({ firstJoined: 9_999_999_999 }))).toBe('genesis-malformed');
    expect(codeOf(record({ closedUptimeNs: '99999999999999999999' }))).toBe('genesis-malformed');
    expect(codeOf(record({ isLlmServer: true }))).toBe('genesis-malformed');
  });
});
