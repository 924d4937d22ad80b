"""Ways to say "inside" so that it looks like "outside". What follows a bar says what the lines from there are about."""

from claw_runtime.web.addresses import LONGEST_URL

HOSTILE = """
http://localhost/ | by name
http://LOCALHOST/
http://localhost:80/
http://app.localhost/
http://localhost.localdomain/
http://intranet/ | a name without a dot
http://metadata/
http://instance-data/latest/meta-data/
http://metadata.google.internal/computeMetadata/v1/
http://postgres.railway.internal:5432/
http://claw.railway.internal/
http://printer.local/
http://router.lan/
http://nas.home/
http://router.home.arpa/
http://1.0.0.127.in-addr.arpa/
http://build.corp/
http://wiki.intranet/
http://x.test/
http://x.invalid/
http://expyuzz4wqqyqhjn.onion/
http://claw.example.com/ | the runtime's own
http://CLAW.example.com/
http://status.claw.example.com/
http://127.0.0.1/ | loopback, in all notations
http://127.0.0.1:80/
http://127.255.255.254/
http://127.1/
http://127.0.1/
http://2130706433/
http://017700000001/
http://0x7f000001/
http://0x7f.0.0.1/
http://0x7f.1/
http://0177.0.0.1/
http://0177.0.0.01/
http://127.0.0.01/
http://127.000.000.001/
http://00000177.1/
http://127.0.0.1./
http://127.0.0.0x1/
http://0/
http://0.0.0.0/
http://0x0/
http://0.0.0.0:443/
http://1/
http://4294967295/
http://256.256.256.256/
http://127.0.0.1.0x/
http://１２７.0.0.1/ | letters that only look different
http://①②⑦.⓪.⓪.①/
http://127。0。0。1/
http://127．0．0．1/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
http://ｌｏｃａｌｈｏｓｔ/
http://local\u00adhost/
http://metadata。google。internal/
http://ｍetadata.google.internal/
http://pⓞstgres.railway.internal/
http://xn--/
http://\u0430\u200b/
http://10.0.0.1/ | private
http://10.255.255.255/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.0.1/
http://192.168.1.1:443/
http://100.64.0.1/ | behind a NAT
http://100.100.100.200/latest/meta-data/
http://100.127.255.255/
http://169.254.169.254/latest/meta-data/iam/ | metadata
http://169.254.170.2/v2/credentials
http://169.254.0.1/
http://0xa9fea9fe/
http://2852039166/
http://0251.0376.0251.0376/
http://169.254.43518/
http://168.63.129.16/machine/
http://192.0.0.192/latest/
http://192.0.0.1/
http://192.0.2.1/ | documentation, benchmarks, relays
http://192.88.99.1/
http://198.18.0.1/
http://198.51.100.7/
http://203.0.113.7/
http://224.0.0.1/ | multicast, reserved, broadcast
http://239.255.255.250/
http://240.0.0.1/
http://255.255.255.255/
http://[::]/ | IPv6
http://[::1]/
http://[0:0:0:0:0:0:0:1]/
http://[0000:0000:0000:0000:0000:0000:0000:0001]/
http://[fe80::1]/
http://[fe80::1%25eth0]/
http://[fe80::1%eth0]/
http://[2606:4700::1111%25eth0]/
http://[fc00::1]/
http://[fd00:ec2::254]/latest/meta-data/
http://[fd20:ce::254]/
http://[fec0::1]/
http://[ff02::1]/
http://[100::1]/
http://[2001:db8::1]/
http://[3fff::1]/
http://[5f00::1]/
http://[::ffff:127.0.0.1]/ | IPv4 inside IPv6
http://[::ffff:7f00:1]/
http://[::ffff:0:127.0.0.1]/
http://[::ffff:8.8.8.8]/
http://[::127.0.0.1]/
http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::a00:1]/
http://[2002:7f00:1::]/
http://[2002:a9fe:a9fe::1]/
http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/
http://[2606:4700::5efe:127.0.0.1]/
http://[2606:4700::200:5efe:10.0.0.1]/
http://[2606:4700::1111/ | brackets
http://2606:4700::1111/
http://[[2606:4700::1111]]/
http://[2606:4700::1111].evil.com/
http://[v1.x]/
http://[]/
http://[127.0.0.1]/
http://user@example.com/ | credentials
http://user:secret@example.com/
http://@example.com/
http://example.com@127.0.0.1/
http://example.com:80@127.0.0.1/
http://127.0.0.1@example.com/
http://example.com%40127.0.0.1/
http://example.com\\@127.0.0.1/ | two ways to read it
http://127.0.0.1\\.example.com/
http:\\\\127.0.0.1\\
http://example.com\\.evil.com/
http:///127.0.0.1/
http:127.0.0.1/
http:/127.0.0.1/
//127.0.0.1/
http://?/
http://#@127.0.0.1/
http://.example.com/
http://example..com/
http://example.com./
http://-example.com/
http://exa mple.com/
http://exa%6dple.com/
http://%31%32%37.0.0.1/
http://example.com,evil.com/
http://example.com;evil.com/
http://{127.0.0.1}/
http://*.example.com/
http://example.com:22/ | other ports
http://example.com:25/
http://example.com:0/
http://example.com:5432/
http://example.com:6379/
http://example.com:8080/
http://example.com:65616/
http://example.com:99999/
http://example.com:-80/
http://example.com:+80/
http://example.com:8_0/
http://example.com:٨٠/
http://example.com:/
http://example.com:80:80/
http://example.com:80\u0660/
file:///etc/passwd | other schemes
FILE:///etc/passwd
ftp://example.com/
gopher://127.0.0.1:6379/_INFO
dict://127.0.0.1:11211/stats
ldap://example.com/
data:text/html,hello
javascript:alert(1)
jar:http://example.com!/
view-source:http://example.com/
blob:http://example.com/1
ws://example.com/
httpx://example.com/
http+unix://%2Fvar%2Frun%2Fdocker.sock/
unix:///var/run/docker.sock
about:blank
mailto:ada@example.com
example.com
/etc/passwd
http
http://
https://
"""

CASES = [line.partition(" | ")[0] for line in HOSTILE.strip().splitlines()]
CASES = [case.encode().decode("unicode_escape") if "\\u" in case else case for case in CASES]
UNPRINTABLE = [
    "",
    " ",
    "http://exa\nmple.com/",
    "http://example.com/\r\nHost: 127.0.0.1",
    "http://example.com/\x00",
    "\thttp://example.com/",
    "ht\ttp://example.com/",
    "http://exam\x7fple.com/",
    "http://example.com/\ud800",
    "http://example.com/\u2028",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 130 + "com/",
    "http://example.com/" + "a" * LONGEST_URL,
]
