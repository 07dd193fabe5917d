import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { MAX_ADDRESS_LENGTH, normaliseAddresses } from '../../src/ledger/multiaddrs.ts';
import { codeOf, peerOf } from './nodes.ts';

const own = peerOf(1);
const other = peerOf(2);

function one(address: string): string | undefined {
  const result = normaliseAddresses(own, [address]);
  return result.ok ? result.value[0] : result.refusal.code;
}

describe('an address', () => {
  it.each([
    ['/ip4/203.0.113.20/udp/4001/quic-v1', '/ip4/203.0.113.20/udp/4001/quic-v1'],
    [`/ip4/203.0.113.20/tcp/4001/p2p/${own}`, '/ip4/203.0.113.20/tcp/4001'],
    [`/ip4/203.0.113.20/tcp/4001/p2p/${own}/p2p/${own}`, '/ip4/203.0.113.20/tcp/4001'],
    [`/ip4/203.0.113.20/tcp/4001/ipfs/${own}`, '/ip4/203.0.113.20/tcp/4001'],
    [`/ip4/192.0.2.1/tcp/1/p2p/${other}/p2p-circuit/p2p/${own}`, `/ip4/192.0.2.1/tcp/1/p2p/${other}/p2p-circuit`],
    ['/ip6/2001:DB8:0:0::1/tcp/1/', '/ip6/2001:db8::1/tcp/1'],
    ['/dns4/worker.node.example/tcp/4001', '/dns4/worker.node.example/tcp/4001'],
    ['/dnsaddr/node.example', '/dnsaddr/node.example'],
  ])('%s becomes %s', (given, kept) => {
    expect(one(given)).toBe(kept);
  });

  it.each([
    ['', 'address-invalid'],
    ['/', 'address-invalid'],
    ['not-a-multiaddr', 'address-invalid'],
    ['/ip4/999.1.1.1/udp/4001', 'address-invalid'],
    ['/ip4/1.2.3.4/tcp/99999', 'address-invalid'],
    ['/ip4/1.2.3.4/tcp', 'address-invalid'],
    ['/telepathy/1', 'address-invalid'],
    ['/dns4/a b/tcp/1', 'address-invalid'],
    ['/dns4/ex\u00e4mple/tcp/1', 'address-invalid'],
    [`/p2p/${own}`, 'address-invalid'],
    ['/p2p/nobody/p2p-circuit', 'address-invalid'],
    [`/ip4/1.2.3.4/tcp/1/p2p/${other}`, 'address-of-another-peer'],
    [`/dns4/${'a'.repeat(MAX_ADDRESS_LENGTH)}`, 'address-too-long'],
  ])('%s is refused: %s', (given, code) => {
    expect(one(given)).toBe(code);
  });
});

describe('an address of a usual kind', () => {
  const digits = fc.oneof(fc.integer({ min: 0, max: 70_000 }).map(String), fc.stringMatching(/^[0-9]{0,6}$/));
  const ip = fc.array(fc.integer({ min: 0, max: 300 }).map(String), { minLength: 4, maxLength: 4 });
  const host = fc.oneof(
    fc.tuple(
      fc.constant('/ip4/'),
      fc.oneof(
        fc.ipV4(),
        ip.map((octets) => octets.join('.')),
      ),
    ),
    fc.tuple(fc.constantFrom('/dns/', '/dns4/', '/dns6/'), fc.stringMatching(/^[A-Za-z0-9.%-]{0,12}$/)),
  );
  const transport = fc.tuple(fc.constantFrom('/tcp/', '/udp/'), digits, fc.constantFrom('', '', '/quic-v1', '/ws'));

  it('is taken or refused, and written, as the library of addresses has it', () => {
    fc.assert(
      fc.property(host, transport, (start, end) => {
        const address = [...start, ...end].join('');
        expect(one(address)).toBe(writtenByLibrary(address));
      }),
      { numRuns: 2000 },
    );
  });

  function writtenByLibrary(address: string): string {
    try {
      return multiaddr(multiaddr(multiaddr(address).getComponents()).bytes).toString();
    } catch {
      return 'address-invalid';
    }
  }
});

describe('the addresses of a node', () => {
  const addresses = fc.uniqueArray(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 65_535 })).map(([ip, port]) => `/ip4/${ip}/tcp/${port}`),
    { maxLength: 16 },
  );

  it('are sorted, each once, and normalised again are the same', () => {
    fc.assert(
      fc.property(addresses, (given) => {
        const kept = unwrap(normaliseAddresses(own, given));
        expect(kept).toEqual([...given].sort());
        expect(unwrap(normaliseAddresses(own, kept))).toEqual(kept);
        expect(
          unwrap(
            normaliseAddresses(
              own,
              given.map((address) => `${address}/p2p/${own}`),
            ),
          ),
        ).toEqual(kept);
      }),
    );
  });

  it('are at most sixteen', () => {
    const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `/ip4/10.0.0.${i}/tcp/1`);
    expect(codeOf(normaliseAddresses(own, many(16)))).toBe('applied');
    expect(codeOf(normaliseAddresses(own, many(17)))).toBe('too-many-addresses');
  });

  it('are refused without an exception, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 3 }),
        (given) => typeof normaliseAddresses(own, given).ok === 'boolean',
      ),
    );
  });
});
