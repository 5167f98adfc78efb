"""browser: a headless Chromium driven over its DevTools pipe (descriptors 3 and 4, messages ended by a NUL byte); standard library only.

    with browser.Browser() as b:
        page = b.page('http://127.0.0.1:9090/logs')
        page.wait('document.querySelector(".lr")')
        page.press('/')
        page.errors, page.requests        # uncaught errors and console errors; what was asked of the network
"""
import base64
import collections
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-extensions', '--disable-default-apps', '--mute-audio',
         '--hide-scrollbars', '--remote-debugging-pipe']


def path():
    return os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')


class Browser:
    def __init__(self, size=(1440, 900), flags=()):
        self.profile = tempfile.mkdtemp(prefix='binnacle-browser-')
        to_read, self.out = os.pipe()
        self.inp, from_write = os.pipe()
        # The child's ends must be 3 and 4 exactly; a shell puts them there.
        command = [path(), *FLAGS, *flags, '--user-data-dir=' + self.profile, '--window-size=%d,%d' % size, 'about:blank']
        self.process = subprocess.Popen(['sh', '-c', 'exec "$@" 3<&%d 4>&%d' % (to_read, from_write), 'sh', *command],
                                        pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.size, self.last_id, self.buffer, self.answers, self.pages = size, 0, b'', {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call('Browser.close', timeout=5)
        except Exception:
            pass
        os.close(self.out)
        os.close(self.inp)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, params=None, session=None, timeout=60):
        self.last_id += 1
        message = {'id': self.last_id, 'method': method, 'params': params or {}}
        if session:
            message['sessionId'] = session
        os.write(self.out, json.dumps(message).encode() + b'\0')
        until = time.monotonic() + timeout
        while message['id'] not in self.answers:
            self.pump(until)
        answer = self.answers.pop(message['id'])
        if 'error' in answer:
            raise RuntimeError('%s: %s' % (method, answer['error'].get('message')))
        return answer['result']

    def pump(self, until):
        """Takes in what the browser says, waiting for it until the given moment."""
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.inp], [], [], left)[0]:
            raise TimeoutError('the browser does not answer')
        data = os.read(self.inp, 1 << 20)
        if not data:
            raise RuntimeError('the browser is gone')
        *whole, self.buffer = (self.buffer + data).split(b'\0')
        for text in whole:
            message = json.loads(text)
            if 'id' in message:
                self.answers[message['id']] = message
            elif message.get('sessionId') in self.pages:
                self.pages[message['sessionId']].event(message['method'], message['params'])

    def page(self, url, before=''):
        """Opens a page; `before` is script run ahead of the page's own."""
        target = self.call('Target.createTarget', {'url': 'about:blank'})['targetId']
        session = self.call('Target.attachToTarget', {'targetId': target, 'flatten': True})['sessionId']
        page = self.pages[session] = Page(self, session, target)
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            page.call(domain + '.enable')
        page.call('Emulation.setDeviceMetricsOverride', {'width': self.size[0], 'height': self.size[1], 'deviceScaleFactor': 1, 'mobile': False})
        if before:
            page.call('Page.addScriptToEvaluateOnNewDocument', {'source': before})
        page.go(url)
        return page


KEYS = {'Enter': 13, 'Escape': 27, 'Tab': 9, 'ArrowDown': 40}


class Page:
    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.errors, self.requests, self.bytes = [], [], collections.Counter()

    def call(self, method, params=None):
        return self.browser.call(method, params, self.session)

    def event(self, method, p):
        if method == 'Runtime.exceptionThrown':
            d = p['exceptionDetails']
            self.errors.append(d.get('exception', {}).get('description') or d['text'])
        elif method == 'Runtime.consoleAPICalled' and p['type'] == 'error':
            self.errors.append(' '.join(str(a.get('value', a.get('description'))) for a in p['args']))
        elif method == 'Log.entryAdded' and p['entry']['level'] == 'error':
            self.errors.append('%s %s' % (p['entry']['text'], p['entry'].get('url', '')))
        elif method == 'Network.requestWillBeSent':
            self.requests.append(p['request']['url'])
        elif method == 'Network.loadingFinished':
            self.bytes['all'] += p['encodedDataLength']

    def go(self, url):
        self.call('Page.navigate', {'url': url})

    def eval(self, script):
        r = self.call('Runtime.evaluate', {'expression': script, 'returnByValue': True, 'awaitPromise': True})
        if 'exceptionDetails' in r:
            raise RuntimeError(r['exceptionDetails'].get('exception', {}).get('description', script))
        return r['result'].get('value')

    def wait(self, script, seconds=30):
        """Until the expression is true; its value."""
        until = time.monotonic() + seconds
        while True:
            try:
                value = self.eval(script)
            except RuntimeError:
                value = None
            if value not in (None, False, 0, '', []):  # a DOM node comes as {}
                return value
            if time.monotonic() > until:
                raise AssertionError('never true: %s\nerrors: %s\npage: %s' % (script, self.errors, self.eval('document.body.innerText.slice(0, 1500)')))
            time.sleep(0.05)

    def press(self, *keys):
        for key in keys:
            text = '\r' if key == 'Enter' else key if len(key) == 1 else ''
            common = {'key': key, 'windowsVirtualKeyCode': KEYS.get(key, ord(key.upper()) if key.isalnum() and len(key) == 1 else 0)}
            self.call('Input.dispatchKeyEvent', {'type': 'keyDown', 'text': text, **common})
            self.call('Input.dispatchKeyEvent', {'type': 'keyUp', **common})

    def type(self, text):
        self.call('Input.insertText', {'text': text})

    def click(self, selector):
        """In the middle of an element, once it stays where it is: what is above it may still be loading."""
        where, last = 'document.querySelector(%s)?.getBoundingClientRect()' % json.dumps(selector), None
        while True:
            at = self.wait('(() => { const r = %s; return r && r.width && [r.x + r.width / 2, r.y + r.height / 2] })()' % where)
            if at == last:
                break
            last = at
            time.sleep(0.15)
        self.mouse('mousePressed', *at)
        self.mouse('mouseReleased', *at)

    def mouse(self, kind, x, y):
        self.call('Input.dispatchMouseEvent', {'type': kind, 'x': x, 'y': y, 'button': 'left', 'buttons': 1, 'clickCount': 1})

    def drag(self, x0, y0, x1, y1):
        self.mouse('mousePressed', x0, y0)
        for i in range(1, 6):
            self.mouse('mouseMoved', x0 + (x1 - x0) * i / 5, y0 + (y1 - y0) * i / 5)
        self.mouse('mouseReleased', x1, y1)

    def screenshot(self, path):
        with open(path, 'wb') as f:
            f.write(base64.b64decode(self.call('Page.captureScreenshot', {'format': 'png'})['data']))

    def close(self):
        self.browser.call('Target.closeTarget', {'targetId': self.target})
