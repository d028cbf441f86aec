import { excerpt } from './tensorFile.ts';

/** A Python class or function, by its full name. It is never looked up, let alone called. */
export class PickledGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Stands for what calling a class or function would have made. */
export class PickledObject {
  /** Its state, or, of something like a dictionary, its items. */
  readonly items = new Map<unknown, unknown>();
}

/** How a pickle's world looks from within it. */
export interface PickleWorld {
  /** What an id from outside stands for. */
  persistent(id: unknown): unknown;
  /** Told of each name before it is used, so that a dangerous one can be refused. */
  global(name: string): void;
  /** What is made of the name and its arguments: a value, or a PickledObject that stands for it. */
  call(name: string, args: readonly unknown[]): unknown;
}

/**
 * A model takes some 40 steps a tensor. A step makes no more than one small object, or copies one item, so that this and
 * the pickle's length bound the memory and the time.
 */
const mostSteps = 1_000_000;
const longestName = 300;
const longestInteger = 16;

/** Says what is wrong, "has …", and throws. */
type Fail = (why: string) => never;

/**
 * Reads a pickle as data: of Python's pickle machine, protocols 2 to 5 (`pickletools`), the part that PyTorch uses, which
 * builds lists, dictionaries and tuples. Nothing is imported or run. Tuples and sets become arrays, dictionaries Maps.
 * The result may share parts with itself, or contain itself.
 */
export function readPickle(bytes: Uint8Array, world: PickleWorld, fail: Fail): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  const latin1 = new TextDecoder('latin1');
  const memo = new Map<number, unknown>();
  const marked: unknown[][] = [];
  let stack: unknown[] = [];
  let at = 0;
  let steps = 0;

  const spend = (count: number) => {
    steps += count;
    if (steps > mostSteps) fail(`has a pickle of more than ${mostSteps} steps, which no model needs`);
  };
  /** Moves on by `count` bytes; where they began. */
  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) fail('has a pickle that is cut off');
    at += count;
    return at - count;
  };
  const u8 = () => bytes[take(1)];
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => Number(view.getBigUint64(take(8), true));
  const slice = (count: number) => {
    const start = take(count);
    return bytes.subarray(start, start + count);
  };
  const line = (): string => {
    const end = bytes.subarray(at, at + longestName + 1).indexOf(0x0a);
    if (end < 0) fail('has a pickle with a name that does not end');
    const start = take(end + 1);
    return utf8.decode(bytes.subarray(start, start + end));
  };
  const pop = (): unknown => {
    if (stack.length === 0) fail('has a pickle that takes more than it has made');
    return stack.pop();
  };
  const top = (): unknown => {
    if (stack.length === 0) fail('has a pickle that takes more than it has made');
    return stack[stack.length - 1];
  };
  /** What came since the last mark. */
  const popMarked = (): unknown[] => {
    const items = stack;
    stack = marked.pop() ?? fail('has a pickle that goes back to a mark it never set');
    return items;
  };
  const recall = (key: number) => {
    if (!memo.has(key)) fail('has a pickle that recalls what it never kept');
    stack.push(memo.get(key));
  };
  const global = (module: unknown, name: unknown) => {
    if (typeof module !== 'string' || typeof name !== 'string' || module.length + name.length > longestName)
      return fail('has a pickle with a class whose name is not one');
    const full = `${module}.${name}`;
    world.global(full);
    stack.push(new PickledGlobal(full));
  };
  const call = (callee: unknown, args: unknown) => {
    if (!(callee instanceof PickledGlobal)) return fail('has a pickle that calls what is not a class or function');
    if (!Array.isArray(args))
      return fail(`has a pickle that calls ${excerpt(callee.name)} without a list of arguments`);
    stack.push(world.call(callee.name, args));
  };
  const setItems = (target: unknown, items: readonly unknown[]) => {
    const map = target instanceof PickledObject ? target.items : target;
    if (!(map instanceof Map) || items.length % 2 === 1)
      return fail('has a pickle that puts items into what is not a dictionary');
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  };
  const append = (target: unknown, items: readonly unknown[]) => {
    if (Array.isArray(target)) for (const item of items) target.push(item);
    else if (!(target instanceof PickledObject)) fail('has a pickle that appends to what is not a list');
  };
  const dictionary = (items: readonly unknown[]) => {
    const map = new Map<unknown, unknown>();
    setItems(map, items);
    return map;
  };
  const build = () => {
    const state = pop();
    const target = top();
    // A pair is __dict__ and __slots__. Of other objects the state is of no use here.
    if (target instanceof PickledObject)
      for (const part of Array.isArray(state) ? state : [state])
        if (part instanceof Map) {
          spend(part.size);
          for (const [key, value] of part) target.items.set(key, value);
        }
  };
  const integer = (size: number) => {
    if (size > longestInteger) fail(`has a pickle with a whole number of ${size} bytes`);
    let value = 0n;
    for (const [i, byte] of slice(size).entries()) value |= BigInt(byte) << BigInt(8 * i);
    value = BigInt.asIntN(8 * size, value);
    stack.push(Number.isSafeInteger(Number(value)) ? Number(value) : value);
  };

  if (u8() !== 0x80) fail('has a pickle of protocol 0 or 1, or something else; PyTorch writes protocol 2');
  const protocol = u8();
  if (protocol < 2 || protocol > 5) fail(`has a pickle of protocol ${protocol}; 2 to 5 can be read`);
  for (;;) {
    spend(1);
    const opcode = u8();
    switch (opcode) {
      case 0x80: // PROTO
        take(1);
        break;
      case 0x95: // FRAME
        take(8);
        break;
      case 0x2e: // STOP
        return pop();
      case 0x28: // MARK
        marked.push(stack);
        stack = [];
        break;
      case 0x30: // POP
        if (stack.length > 0) stack.pop();
        else popMarked();
        break;
      case 0x31: // POP_MARK
        popMarked();
        break;
      case 0x32: // DUP
        stack.push(top());
        break;
      case 0x71: // BINPUT
        memo.set(u8(), top());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(u32(), top());
        break;
      case 0x94: // MEMOIZE
        memo.set(memo.size, top());
        break;
      case 0x68: // BINGET
        recall(u8());
        break;
      case 0x6a: // LONG_BINGET
        recall(u32());
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4b: // BININT1
        stack.push(u8());
        break;
      case 0x4d: // BININT2
        stack.push(view.getUint16(take(2), true));
        break;
      case 0x4a: // BININT
        stack.push(view.getInt32(take(4), true));
        break;
      case 0x8a: // LONG1
        integer(u8());
        break;
      case 0x8b: // LONG4
        integer(u32());
        break;
      case 0x47: // BINFLOAT
        stack.push(view.getFloat64(take(8), false));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(utf8.decode(slice(u8())));
        break;
      case 0x58: // BINUNICODE
        stack.push(utf8.decode(slice(u32())));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(utf8.decode(slice(u64())));
        break;
      case 0x55: // SHORT_BINSTRING, Python 2's text
        stack.push(latin1.decode(slice(u8())));
        break;
      case 0x54: // BINSTRING
        stack.push(latin1.decode(slice(u32())));
        break;
      case 0x43: // SHORT_BINBYTES
        stack.push(slice(u8()));
        break;
      case 0x42: // BINBYTES
        stack.push(slice(u32()));
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        stack.push(slice(u64()));
        break;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x85: // TUPLE1
        stack.push([pop()]);
        break;
      case 0x86: // TUPLE2
        stack.push([pop(), pop()].reverse());
        break;
      case 0x87: // TUPLE3
        stack.push([pop(), pop(), pop()].reverse());
        break;
      case 0x74: // TUPLE
      case 0x6c: // LIST
      case 0x91: {
        // FROZENSET
        const items = popMarked();
        stack.push(items);
        break;
      }
      case 0x64: {
        // DICT
        const items = popMarked();
        stack.push(dictionary(items));
        break;
      }
      case 0x61: {
        // APPEND
        const item = pop();
        append(top(), [item]);
        break;
      }
      case 0x65: // APPENDS
      case 0x90: {
        // ADDITEMS
        const items = popMarked();
        append(top(), items);
        break;
      }
      case 0x73: {
        // SETITEM
        const value = pop();
        const key = pop();
        setItems(top(), [key, value]);
        break;
      }
      case 0x75: {
        // SETITEMS
        const items = popMarked();
        setItems(top(), items);
        break;
      }
      case 0x63: // GLOBAL
        global(line(), line());
        break;
      case 0x93: {
        // STACK_GLOBAL
        const name = pop();
        global(pop(), name);
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = pop();
        call(pop(), args);
        break;
      }
      case 0x92: {
        // NEWOBJ_EX: the keyword arguments are left out
        pop();
        const args = pop();
        call(pop(), args);
        break;
      }
      case 0x62: // BUILD
        build();
        break;
      case 0x51: // BINPERSID
        stack.push(world.persistent(pop()));
        break;
      default:
        fail(`has a pickle with the opcode 0x${opcode.toString(16).padStart(2, '0')}, which PyTorch does not write`);
    }
  }
}
