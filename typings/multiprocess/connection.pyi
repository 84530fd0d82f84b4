from multiprocessing.connection import Connection as Connection
from multiprocessing.connection import wait as wait
