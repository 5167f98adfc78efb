"""The standard analyzer's words, by _analyze, against $CASES/logs/standard_analyzer_cases.jsonl."""
import bn
import es

table = es.cases('standard_analyzer_cases.jsonl')
passed = 0
with bn.Server() as server:
    for case in table:
        reply = server.post('/_analyze', {'text': case['text']})
        got = [(t['token'], t['start_offset'], t['end_offset'], t['position']) for t in reply.json['tokens']]
        want = [(t['token'], t['start'], t['end'], t['pos']) for t in case['tokens']]
        if got == want:
            passed += 1
        else:
            print('%r: expected %s, got %s' % (case['text'], want, got))
print('words: %d of %d' % (passed, len(table)))
raise SystemExit(passed != len(table))
