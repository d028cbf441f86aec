import { excerpt } from './tensorFile.ts';

/** A Python class or function, by its full name. It is never looked up, let alone called. */
export class PickledGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Stands for the object that calling a class or function would have made. */
export class PickledObject {
  /** Its attributes, or its items if it is a kind of dictionary. */
  readonly items = new Map<unknown, unknown>();
}

/** Gives a pickle's names and ids their meaning. */
export interface PickleWorld {
  /** Returns the value that an id refers to which the pickle does not hold itself. */
  persistent(id: unknown): unknown;
  /** Is called with each class or function name before its first use; throws to refuse a dangerous one. */
  global(name: string): void;
  /** Returns the result of calling `name`: a value, or a PickledObject that stands for it. */
  call(name: string, args: readonly unknown[]): unknown;
}

/**
 * A model takes some 40 steps a tensor. A step makes at most one small object or copies one item, so this limit and the
 * pickle's length bound both memory and time: 400,000 empty dictionaries take 90 MB.
 */
const mostSteps = 400_000;
const longestName = 300;
const longestInteger = 16;

/** Says what is wrong with the file, "has …", and throws. */
type Fail = (why: string) => never;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const latin1 = new TextDecoder('latin1');

/** The state of Python's pickle machine while it reads one pickle. */
class PickleMachine {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly world: PickleWorld;
  private readonly fail: Fail;
  private readonly memo = new Map<number, unknown>();
  /** Stacks that were set aside by `mark`, the innermost last. */
  private readonly marked: unknown[][] = [];
  private stack: unknown[] = [];
  /** Index of the next byte. */
  private at = 0;
  private steps = 0;

  constructor(bytes: Uint8Array, world: PickleWorld, fail: Fail) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.world = world;
    this.fail = fail;
  }

  /** Counts steps; fails when there are too many. */
  spend(count: number): void {
    this.steps += count;
    if (this.steps > mostSteps) this.fail(`has a pickle of more than ${mostSteps} steps, which no model needs`);
  }

  /** Moves on by `count` bytes; returns the index of the first of them. */
  skip(count: number): number {
    if (!(count <= this.bytes.length - this.at)) this.fail('has a pickle that is cut off');
    this.at += count;
    return this.at - count;
  }
  u8(): number {
    return this.bytes[this.skip(1)];
  }
  u16(): number {
    return this.view.getUint16(this.skip(2), true);
  }
  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
  i32(): number {
    return this.view.getInt32(this.skip(4), true);
  }
  u64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }
  f64(): number {
    return this.view.getFloat64(this.skip(8), false);
  }
  slice(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, start + count);
  }
  /** Reads a whole number of `size` bytes: a bigint if float64 cannot hold it exactly. */
  integer(size: number): number | bigint {
    if (size > longestInteger) this.fail(`has a pickle with a whole number of ${size} bytes`);
    let value = 0n;
    for (const [i, byte] of this.slice(size).entries()) value |= BigInt(byte) << BigInt(8 * i);
    value = BigInt.asIntN(8 * size, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  /** Reads a name up to its newline. */
  line(): string {
    const length = this.bytes.subarray(this.at, this.at + longestName + 1).indexOf(0x0a);
    if (length < 0) this.fail('has a pickle with a name that does not end');
    return utf8.decode(this.slice(length + 1).subarray(0, length));
  }

  push(value: unknown): void {
    this.stack.push(value);
  }
  pop(): unknown {
    if (this.stack.length === 0) this.fail('has a pickle that takes more than it has made');
    return this.stack.pop();
  }
  /** Pops `count` values; returns them in the order they were pushed. */
  popRow(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }
  top(): unknown {
    if (this.stack.length === 0) this.fail('has a pickle that takes more than it has made');
    return this.stack[this.stack.length - 1];
  }
  mark(): void {
    this.marked.push(this.stack);
    this.stack = [];
  }
  /** Takes everything off that was pushed since the last mark. */
  popMarked(): unknown[] {
    const items = this.stack;
    this.stack = this.marked.pop() ?? this.fail('has a pickle that goes back to a mark it never set');
    return items;
  }
  /** Takes off the last value, or the last mark if nothing was pushed since. */
  popValueOrMark(): void {
    if (this.stack.length > 0) this.stack.pop();
    else this.popMarked();
  }

  memoize(key = this.memo.size): void {
    this.memo.set(key, this.top());
  }
  recall(key: number): void {
    if (!this.memo.has(key)) this.fail('has a pickle that recalls what it never kept');
    this.push(this.memo.get(key));
  }

  global([module, name]: unknown[]): void {
    if (typeof module !== 'string' || typeof name !== 'string' || module.length + name.length > longestName)
      this.fail('has a pickle with a class whose name is not one');
    const fullName = `${module}.${name}`;
    this.world.global(fullName);
    this.push(new PickledGlobal(fullName));
  }
  call([callee, args]: unknown[]): void {
    if (!(callee instanceof PickledGlobal)) this.fail('has a pickle that calls what is not a class or function');
    if (!Array.isArray(args)) this.fail(`has a pickle that calls ${excerpt(callee.name)} without a list of arguments`);
    this.push(this.world.call(callee.name, args));
  }
  persistent(id: unknown): void {
    this.push(this.world.persistent(id));
  }

  /** Puts `items`, keys and values in turn, into a dictionary. */
  setItems(items: readonly unknown[], target = this.top()): void {
    const map = target instanceof PickledObject ? target.items : target;
    if (!(map instanceof Map) || items.length % 2 === 1)
      this.fail('has a pickle that puts items into what is not a dictionary');
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }
  append(items: readonly unknown[]): void {
    const target = this.top();
    if (Array.isArray(target)) for (const item of items) target.push(item);
    else if (!(target instanceof PickledObject)) this.fail('has a pickle that appends to what is not a list');
  }
  dictionary(items: readonly unknown[]): void {
    const map = new Map<unknown, unknown>();
    this.setItems(items, map);
    this.push(map);
  }
  /** Gives the object on top its attributes; a pair is its __dict__ and its __slots__. Other objects need no state here. */
  build(state: unknown): void {
    const target = this.top();
    if (!(target instanceof PickledObject)) return;
    for (const part of Array.isArray(state) ? state : [state])
      if (part instanceof Map) {
        this.spend(part.size);
        for (const [key, value] of part) target.items.set(key, value);
      }
  }
}

/** One opcode: its byte, and what the machine does on it. */
type Opcode = readonly [byte: number, run: (machine: PickleMachine) => void];

/** The opcodes that PyTorch writes, by their names in Python's `pickletools`. Tuples, lists and sets all become arrays. */
const opcodes: Readonly<Record<string, Opcode>> = {
  PROTO: [0x80, (m) => m.skip(1)],
  FRAME: [0x95, (m) => m.skip(8)],
  MARK: [0x28, (m) => m.mark()],
  POP: [0x30, (m) => m.popValueOrMark()],
  POP_MARK: [0x31, (m) => m.popMarked()],
  DUP: [0x32, (m) => m.push(m.top())],
  BINPUT: [0x71, (m) => m.memoize(m.u8())],
  LONG_BINPUT: [0x72, (m) => m.memoize(m.u32())],
  MEMOIZE: [0x94, (m) => m.memoize()],
  BINGET: [0x68, (m) => m.recall(m.u8())],
  LONG_BINGET: [0x6a, (m) => m.recall(m.u32())],
  NONE: [0x4e, (m) => m.push(null)],
  NEWTRUE: [0x88, (m) => m.push(true)],
  NEWFALSE: [0x89, (m) => m.push(false)],
  BININT1: [0x4b, (m) => m.push(m.u8())],
  BININT2: [0x4d, (m) => m.push(m.u16())],
  BININT: [0x4a, (m) => m.push(m.i32())],
  LONG1: [0x8a, (m) => m.push(m.integer(m.u8()))],
  LONG4: [0x8b, (m) => m.push(m.integer(m.u32()))],
  BINFLOAT: [0x47, (m) => m.push(m.f64())],
  SHORT_BINUNICODE: [0x8c, (m) => m.push(utf8.decode(m.slice(m.u8())))],
  BINUNICODE: [0x58, (m) => m.push(utf8.decode(m.slice(m.u32())))],
  BINUNICODE8: [0x8d, (m) => m.push(utf8.decode(m.slice(m.u64())))],
  // Text as Python 2 wrote it.
  SHORT_BINSTRING: [0x55, (m) => m.push(latin1.decode(m.slice(m.u8())))],
  BINSTRING: [0x54, (m) => m.push(latin1.decode(m.slice(m.u32())))],
  SHORT_BINBYTES: [0x43, (m) => m.push(m.slice(m.u8()))],
  BINBYTES: [0x42, (m) => m.push(m.slice(m.u32()))],
  BINBYTES8: [0x8e, (m) => m.push(m.slice(m.u64()))],
  BYTEARRAY8: [0x96, (m) => m.push(m.slice(m.u64()))],
  EMPTY_TUPLE: [0x29, (m) => m.push([])],
  EMPTY_LIST: [0x5d, (m) => m.push([])],
  EMPTY_SET: [0x8f, (m) => m.push([])],
  EMPTY_DICT: [0x7d, (m) => m.push(new Map())],
  TUPLE1: [0x85, (m) => m.push(m.popRow(1))],
  TUPLE2: [0x86, (m) => m.push(m.popRow(2))],
  TUPLE3: [0x87, (m) => m.push(m.popRow(3))],
  TUPLE: [0x74, (m) => m.push(m.popMarked())],
  LIST: [0x6c, (m) => m.push(m.popMarked())],
  FROZENSET: [0x91, (m) => m.push(m.popMarked())],
  DICT: [0x64, (m) => m.dictionary(m.popMarked())],
  APPEND: [0x61, (m) => m.append(m.popRow(1))],
  APPENDS: [0x65, (m) => m.append(m.popMarked())],
  ADDITEMS: [0x90, (m) => m.append(m.popMarked())],
  SETITEM: [0x73, (m) => m.setItems(m.popRow(2))],
  SETITEMS: [0x75, (m) => m.setItems(m.popMarked())],
  GLOBAL: [0x63, (m) => m.global([m.line(), m.line()])],
  STACK_GLOBAL: [0x93, (m) => m.global(m.popRow(2))],
  REDUCE: [0x52, (m) => m.call(m.popRow(2))],
  NEWOBJ: [0x81, (m) => m.call(m.popRow(2))],
  // The third value, the keyword arguments, is left out.
  NEWOBJ_EX: [0x92, (m) => m.call(m.popRow(3))],
  BUILD: [0x62, (m) => m.build(m.pop())],
  BINPERSID: [0x51, (m) => m.persistent(m.pop())],
};

const byByte = new Map(Object.values(opcodes));
const stop = 0x2e;

/**
 * Reads a pickle of protocol 2 to 5 as data, as far as PyTorch uses them: nothing is imported or run. Tuples and sets
 * become arrays, dictionaries Maps. Parts of the result may be shared, and it may contain itself.
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld, fail: Fail): unknown {
  const machine = new PickleMachine(bytes, world, fail);
  if (machine.u8() !== 0x80) fail('has a pickle of protocol 0 or 1, or something else; PyTorch writes protocol 2');
  const protocol = machine.u8();
  if (protocol < 2 || protocol > 5) fail(`has a pickle of protocol ${protocol}; 2 to 5 can be read`);
  for (;;) {
    machine.spend(1);
    const opcode = machine.u8();
    if (opcode === stop) return machine.pop();
    const run = byByte.get(opcode);
    if (!run)
      return fail(
        `has a pickle with the opcode 0x${opcode.toString(16).padStart(2, '0')}, which PyTorch does not write`,
      );
    run(machine);
  }
}
