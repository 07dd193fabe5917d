import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AddressBook, readAddressFile, writeAddressFile } from '../../src/node/address-book.ts';
import { temporaryDirectory } from './directory.ts';

const [A, B] = [
  '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L',
  '12D3KooWLbkoHsUPZRq4upxXGqwftWC7TNJDB9XKznEWbN4t9k6n',
];

describe('the address book', () => {
  test('joins addresses from genesis and bootstrap, each with the peer id at its end', () => {
    const book = new AddressBook(new Map([[A, ['/ip4/1.1.1.1/tcp/1']]]), [`/ip4/2.2.2.2/tcp/2/p2p/${A}`], []);
    expect(book.of(A)).toEqual([`/ip4/1.1.1.1/tcp/1/p2p/${A}`, `/ip4/2.2.2.2/tcp/2/p2p/${A}`]);
    expect(book.of(B)).toEqual([]);
    expect(book.peers()).toEqual([A]);
  });

  test('finds a node that was started again on another port', async () => {
    const file = join(await temporaryDirectory(), 'data', 'addresses.json');
    const book = new AddressBook(new Map(), [], [file]);
    expect(book.of(A)).toEqual([]);
    await writeAddressFile(file, { peerId: A, pid: 1, addresses: ['/ip4/127.0.0.1/tcp/1111'] });
    expect(book.of(A)).toEqual([`/ip4/127.0.0.1/tcp/1111/p2p/${A}`]);
    await writeAddressFile(file, { peerId: A, pid: 2, addresses: ['/ip4/127.0.0.1/tcp/2222'] });
    expect(book.of(A)).toEqual([`/ip4/127.0.0.1/tcp/2222/p2p/${A}`]);
    expect(book.of(B)).toEqual([]);
    expect(book.peers()).toEqual([A]);
  });

  test('takes a file that is half there, or something else, for a node that has not started', async () => {
    const file = join(await temporaryDirectory(), 'addresses.json');
    await writeFile(file, '{"peerId":"12D3');
    expect(readAddressFile(file)).toBeUndefined();
    await writeFile(file, '{"peerId":7}');
    expect(readAddressFile(file)).toBeUndefined();
  });
});
