import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepOffline, type NewerBuild } from './offline.ts';

const reload = vi.fn();
beforeEach(() => {
  vi.stubGlobal('document', { baseURI: 'https://example.org/x/y/' });
  vi.stubGlobal('location', { reload });
});
afterEach(() => {
  vi.unstubAllGlobals();
  reload.mockReset();
});

/** The worker of a build. */
class FakeWorker extends EventTarget {
  readonly postMessage = vi.fn();
  change() {
    this.dispatchEvent(new Event('statechange'));
  }
}

class FakeRegistration extends EventTarget {
  installing: FakeWorker | null = null;
  waiting: FakeWorker | null = null;

  /** Finds a newer build, and begins to install it. */
  find(): FakeWorker {
    this.installing = new FakeWorker();
    this.dispatchEvent(new Event('updatefound'));
    return this.installing;
  }
  /** Ends the installation. */
  end(isKept: boolean) {
    const worker = this.installing!;
    this.installing = null;
    if (isKept) this.waiting = worker;
    worker.change();
  }
}

/** A browser whose page has, or has not, been kept before. */
async function visit({ isKept, registration }: { isKept: boolean; registration: FakeRegistration | null }) {
  const container = Object.assign(new EventTarget(), {
    controller: isKept ? {} : null,
    register: vi.fn(async () => registration ?? Promise.reject(new Error('blocked'))),
  });
  const told: NewerBuild[] = [];
  await keepOffline(container as unknown as ServiceWorkerContainer, (newer) => told.push(newer));
  expect(container.register.mock.lastCall).toEqual([new URL('https://example.org/x/y/sw.js')]);
  return { told, takeControl: () => container.dispatchEvent(new Event('controllerchange')) };
}

test('the build that is kept first is no newer one', async () => {
  const registration = new FakeRegistration();
  const { told, takeControl } = await visit({ isKept: false, registration });
  registration.find();
  registration.end(true);
  takeControl();
  expect(told).toEqual([]);
  // Another tab takes one that comes later.
  takeControl();
  expect(told).toMatchObject([{ isTaken: true }]);
});

test('a newer build waits until it is asked for, and then the page is opened anew', async () => {
  const registration = new FakeRegistration();
  const { told, takeControl } = await visit({ isKept: true, registration });
  const worker = registration.find();
  expect(told).toEqual([]);
  registration.end(true);
  expect(told).toMatchObject([{ isTaken: false }]);
  told[0].use();
  expect(worker.postMessage.mock.calls).toEqual([['use']]);
  expect(reload).not.toHaveBeenCalled();
  takeControl();
  expect(reload).toHaveBeenCalledOnce();
  expect(told).toHaveLength(1);
});

test('one that waits since before is told at once', async () => {
  const registration = new FakeRegistration();
  registration.waiting = new FakeWorker();
  const { told } = await visit({ isKept: true, registration });
  expect(told).toMatchObject([{ isTaken: false }]);
});

test('one that another tab took into use is opened here when that is asked for', async () => {
  const { told, takeControl } = await visit({ isKept: true, registration: new FakeRegistration() });
  takeControl();
  expect(told).toMatchObject([{ isTaken: true }]);
  expect(reload).not.toHaveBeenCalled();
  told[0].use();
  expect(reload).toHaveBeenCalledOnce();
});

test('an installation that fails is not told, and one after it is', async () => {
  const registration = new FakeRegistration();
  const { told } = await visit({ isKept: true, registration });
  registration.find();
  registration.end(false);
  expect(told).toEqual([]);
  registration.find();
  registration.end(true);
  expect(told).toMatchObject([{ isTaken: false }]);
});

test('a browser that keeps nothing does no harm', async () => {
  const { told } = await visit({ isKept: false, registration: null });
  expect(told).toEqual([]);
});
